import { describe, expect, it } from '@jest/globals'
import { PaymentChanged, ProviderPaymentChanged } from '#contracts'
import type { StatesOf } from '#event-store'
import { paise, type JsonObject } from '#kernel'
import { AUTHORISATION_LIFE_MS } from '#payment'
import { sagaIdFor, statusOf, type OperatorAction, type SagaState } from '#saga'
import { sagaDefinitions } from './definitions.js'
import { orderCancellation } from './order-cancellation.js'
import { ORDER_CANCELLATION, PAYMENT_REFUND, SECOND_PAYMENT } from './saga-types.js'
import { CASES } from '../testing/payment-cases.js'
import { AMOUNT, context, killedAtEveryStep, orderId, paymentId, Play, WINDOW_MS, type World } from '../testing/play.js'

describe('an order payment', () => {
  it.each(CASES.map(([world, end]) => [JSON.stringify(world), world, end] as const))('%s', async (_, world, end) => {
    const play = await new Play(world).play()
    expect(await play.outcome()).toMatchObject(end)
    await play.check()
  })

  it.each([
    { method: 'wallet' },
    { method: 'split', other: 'card', cancel: 'CONFIRMED' },
    { method: 'upi', luck: 'late', webhooks: true },
  ] as const satisfies readonly World[])('%j, killed at every step', killedAtEveryStep)

  describe('says of what the provider took', () => {
    const told = (play: Play) => play.sent.filter(({ type }) => type === ProviderPaymentChanged.type).map(({ data }) => data)

    it('when it was paid, and that it is for nothing: also where it was found and given back in one run', async () => {
      const play = new Play({ method: 'upi', luck: 'late' })
      const began = play.clock.now()
      await play.play()
      const paidAt = new Date(began + WINDOW_MS + 3_000).toISOString()
      const back = { captured: AMOUNT, refunded: AMOUNT, purpose: 'order', method: 'upi', paidAt, use: 'undone' }
      expect(told(play)).toEqual([expect.objectContaining(back)])
    })

    it('that it is open until the order is confirmed, and then done', async () => {
      const play = await new Play({ method: 'upi' }).play()
      expect(told(play).map(({ use }) => use)).toEqual(['open', 'done'])
    })

    it('no time before it was asked for', async () => {
      const play = new Play({ method: 'upi', clockOff_ms: -86_400_000 })
      const began = play.clock.now()
      await play.play()
      expect(Date.parse(String(told(play)[0]?.['paidAt']))).toBeGreaterThanOrEqual(began)
    })
  })

  describe('whose amount is not what was asked', () => {
    const told = (play: Play, body: JsonObject) =>
      play.later(100, async () => {
        await play.apply({ kind: 'message', id: 'w', sagaId: paymentId, context, name: 'provider-payment', body })
      })

    it.each([
      { status: 'captured', authorised: '1', captured: '1' },
      { status: 'captured', authorised: AMOUNT, captured: '1' },
      { status: 'authorised', authorised: '1' },
      { status: 'authorised' },
      { status: 'declined' },
    ])('a webhook that says %j is not believed: the provider is asked', async (body) => {
      const play = new Play({ method: 'upi', luck: 'slow' })
      told(play, { providerPaymentId: 'p-other', ...body })
      await play.play()
      expect(await play.outcome()).toMatchObject({ saga: 'COMPLETED', captured: AMOUNT })
      expect((await play.state(paymentId)).data).toMatchObject({ providerPaymentId: play.provider.payment?.paymentId })
      await play.check()
    })

    it.each(['upi', 'card'] as const)('by %s is undone, and what was taken goes back', async (method) => {
      const play = await new Play({ method, takes: '100' }).play()
      const back = method === 'upi' ? '100' : '0'
      const end = { saga: 'COMPENSATED', order: 'CANCELLED', reason: 'payment-declined', captured: back, refunded: back }
      expect(await play.outcome()).toMatchObject(end)
      await play.check()
    })

    it('when it is captured calls a person', async () => {
      const play = await new Play({ method: 'card', captures: '100' }).play()
      expect(await play.outcome()).toMatchObject({ saga: 'NEEDS_ATTENTION', order: 'CONFIRMED', captured: '100' })
    })
  })

  it.each([
    ['capture', 'refused: authorisation-lapsed', '0'],
    ['all', 'its time is over', AMOUNT],
  ] as const)(
    'a capture is tried as long as the authorisation lives: unheard (%s) it calls a person, %s',
    async (unheard, why, authorised) => {
      const play = new Play({ method: 'card', unheard })
      const began = play.clock.now()
      await play.play()
      expect(await play.outcome()).toMatchObject({ saga: 'NEEDS_ATTENTION', order: 'CONFIRMED', captured: '0' })
      const { steps, data } = await play.state(paymentId)
      const { attention } = steps['capture-payment'] ?? {}
      expect([attention?.why, data['authorised']]).toEqual([why, authorised])
      expect((attention?.since ?? 0) - began).toBeLessThan(AUTHORISATION_LIFE_MS + 60_000)
    },
  )

  describe('of which the provider took two', () => {
    const other = { providerPaymentId: 'pay_other', status: 'captured', authorised: AMOUNT, captured: AMOUNT }
    const secondId = sagaIdFor(SECOND_PAYMENT, `${paymentId}:pay_other`)
    const tell = async (play: Play) => {
      for (const id of ['w-1', 'w-2'])
        await play.apply({ kind: 'message', id, sagaId: paymentId, context, name: 'provider-payment', body: other })
      await play.run()
    }
    const resume = async (play: Play, outcome: 'succeeded' | 'refused') => {
      const operator = { action: 'resume', step: 'look-into-it', outcome, evidence: 'the provider’s books' } as const
      await play.apply({ kind: 'operator', id: outcome, sagaId: secondId, context, by: 'ops', reason: 'test', operator })
      await play.run()
      return statusOf(await play.state(secondId))
    }
    const refundsOf = (play: Play) => {
      const asked: unknown[] = []
      play.provider.refund = async (_, paymentId, amount) => {
        asked.push([paymentId, `${amount}`])
        return { known: 'answered', payment: { paymentId, status: 'captured', amount, captured: amount, refunded: amount } }
      }
      return asked
    }

    it.each([
      [{ method: 'upi' }, 'COMPLETED'],
      [{ method: 'upi', takes: '299700' }, 'COMPENSATED'],
      [{ method: 'card', unheard: 'all' }, 'NEEDS_ATTENTION'],
    ] as const satisfies readonly (readonly [World, string])[])(
      '%j, %s, hears of the other by webhook: a person is called, once, and the order’s own payment stays as it is',
      async (world, status) => {
        const play = await new Play(world).play()
        const before = await play.outcome()
        expect(before.saga).toBe(status)
        const known = (await play.state(paymentId)).data['providerPaymentId']
        await tell(play)
        expect(await play.outcome()).toEqual(before)
        expect((await play.state(paymentId)).data['providerPaymentId']).toBe(known)
        const second = play.store.instances().filter(({ type }) => type === SECOND_PAYMENT)
        expect(second.map(({ id, status: is }) => [id, is])).toEqual([[secondId, 'NEEDS_ATTENTION']])
      },
    )

    it('gives the other back once a person has said that it is one too many, and books it', async () => {
      const play = await new Play({ method: 'upi' }).play()
      const asked = refundsOf(play)
      await tell(play)
      expect(asked).toEqual([])
      expect(await resume(play, 'succeeded')).toBe('COMPLETED')
      expect(asked).toEqual([['pay_other', AMOUNT]])
      const told = play.sent.filter(({ type, data }) => type === ProviderPaymentChanged.type && data['sagaId'] === secondId)
      expect(told.map(({ data }) => [data['providerPaymentId'], data['captured'], data['refunded'], data['use']])).toEqual([
        ['pay_other', AMOUNT, '0', 'undone'],
        ['pay_other', AMOUNT, AMOUNT, 'undone'],
      ])
      expect(await play.outcome()).toMatchObject({ saga: 'COMPLETED', captured: AMOUNT, refunded: '0' })
    })

    it('leaves the other alone where a person says that it is none', async () => {
      const play = await new Play({ method: 'upi' }).play()
      const asked = refundsOf(play)
      await tell(play)
      expect([await resume(play, 'refused'), asked]).toEqual(['COMPENSATED', []])
      expect(play.sent.filter(({ data }) => data['sagaId'] === secondId)).toEqual([])
    })
  })

  it.each(['wallet', 'card'] as const)(
    'a refund by %s of which a person says wrongly that it did not happen, and which is tried again, goes back once',
    async (method) => {
      const play = await new Play({ method, fault: { of: 'refund', is: 'lost' } }).play()
      play.provider.back = false
      play.books.away.add('RefundToWallet')
      await play.giveBack('r-1', paise('50000'))
      await play.run()
      const sagaId = sagaIdFor(PAYMENT_REFUND, 'r-1')
      const act = async (nth: string, operator: OperatorAction) => {
        await play.apply({ kind: 'operator', id: nth, sagaId, context, by: 'ops', reason: 'test', operator })
        await play.run()
        return statusOf(await play.state(sagaId))
      }
      const step = method === 'wallet' ? 'refund-wallet' : 'refund-payment'
      expect(await act('no', { action: 'resume', step, outcome: 'refused', evidence: 'not in its books' })).toBe('NEEDS_ATTENTION')
      expect(await act('again', { action: 'retry' })).toBe('NEEDS_ATTENTION')
      play.provider.back = true
      play.books.away.clear()
      expect(await act('once more', { action: 'retry' })).toBe('COMPLETED')
      // The wallet, back, executes all that was sent to it meanwhile, once by its id.
      expect(new Set(play.sent.filter(({ type }) => type === 'RefundToWallet').map((message) => message.id)).size).toBeLessThanOrEqual(1)
      expect(method === 'wallet' ? play.books.walletRefunds : play.provider.payment?.refunded).toBe(50_000n)
      expect(await play.outcome()).toMatchObject({ saga: 'COMPLETED', refunded: '50000' })
    },
  )

  describe("settled by a person's word", () => {
    const resume = (play: Play, step: string, told: Record<string, string> = {}, outcome: 'succeeded' | 'refused' = 'succeeded') =>
      play.engine
        .think({
          kind: 'operator',
          id: `resume ${step}`,
          sagaId: paymentId,
          context,
          by: 'ops',
          reason: 'test',
          operator: { action: 'resume', step, outcome, evidence: 'line 17', told },
        })
        .decide({ of: () => ({ state: play.last, version: 9 }) } as unknown as StatesOf, (_, __, react) => react())

    const stuck = async (world: World, step: string, data: object = {}) => {
      const play = await new Play(world).play()
      const saga = await play.state(paymentId)
      const action = saga.steps[step] ?? { kind: 'activity' as const, key: 'k', round: 1, attempts: 1, startedAt: 0 }
      const steps = { ...saga.steps, [step]: { ...action, status: 'running' as const } }
      play.last = { ...saga, phase: 'forward', current: [step], steps, data: { ...saga.data, ...data } } as SagaState
      return play
    }
    const dataAfter = (reaction: ReturnType<typeof resume>) => ('state' in reaction ? reaction.state.data : reaction)

    it('what was captured is the whole amount', async () => {
      const play = await stuck({ method: 'card' }, 'capture-payment', { captured: '0' })
      expect(dataAfter(resume(play, 'capture-payment'))).toMatchObject({ captured: AMOUNT })
      expect(dataAfter(resume(play, 'capture-payment', {}, 'refused'))).toMatchObject({ captured: '0' })
    })

    it('a wallet whose capture was refused has paid nothing', async () => {
      const play = await stuck({ method: 'wallet' }, 'capture-hold', { walletTaken: '0' })
      expect(dataAfter(resume(play, 'capture-hold', {}, 'refused'))).toMatchObject({ walletTaken: '0' })
      expect(dataAfter(resume(play, 'capture-hold'))).toMatchObject({ walletTaken: AMOUNT })
    })

    it('an authorised payment needs its id at the provider, unless that was told', async () => {
      const play = await stuck({ method: 'card' }, 'authorise-payment', { authorised: '0', captured: '0', providerPaymentId: undefined })
      expect(resume(play, 'authorise-payment')).toMatchObject({ disposition: 'refused', lacks: ['providerPaymentId'] })
      expect(dataAfter(resume(play, 'authorise-payment', { providerPaymentId: 'p-7' }))).toMatchObject({
        providerPaymentId: 'p-7',
        authorised: AMOUNT,
      })
      const known = await stuck({ method: 'card' }, 'authorise-payment', { authorised: '0', providerPaymentId: 'p-8' })
      expect(dataAfter(resume(known, 'authorise-payment'))).toMatchObject({ providerPaymentId: 'p-8', authorised: AMOUNT })
    })

    it('a score and a review need what was decided', async () => {
      const play = await stuck({ method: 'wallet' }, 'score-fraud')
      expect(resume(play, 'score-fraud')).toMatchObject({ lacks: ['decision'] })
      expect(resume(play, 'score-fraud', { decision: 'approve' })).toMatchObject({ state: { phase: 'forward' } })
      const review = await stuck({ method: 'wallet', fraud: 'review', review: 'approve' }, 'await-review')
      expect(resume(review, 'await-review', { decision: 'review' })).toMatchObject({ lacks: ['decision'] })
      expect(resume(review, 'await-review', { decision: 'decline' })).toMatchObject({ state: { phase: 'back' } })
    })
  })

  it.each([
    [{}, ['method', 'captured']],
    [{ method: 'card', captured: '5' }, ['providerPaymentId']],
    [{ method: 'wallet', captured: '5' }, ['walletId']],
    [
      { method: 'cod', captured: '0' },
      { wallet: '0', provider: '0', cash: '0' },
    ],
    [
      { method: 'wallet', captured: '5', walletId: 'w-1' },
      { wallet: '5', provider: '0', cash: '0', walletId: 'w-1' },
    ],
    [
      { method: 'card', captured: '5', providerPaymentId: 'p-1' },
      { wallet: '0', provider: '5', cash: '0', providerPaymentId: 'p-1' },
    ],
  ])('what a cancellation must be told of the capture, of %j: %j', (told, answer) => {
    const step = orderCancellation.steps.find(({ name }) => name === 'await-capture')
    const made = step?.does?.byHand?.(told, { data: {} } as Parameters<NonNullable<NonNullable<typeof step.does>['byHand']>>[1])
    expect(made).toEqual(Array.isArray(answer) ? { lacks: answer } : { result: answer })
  })

  it.each([
    [{ method: 'card' }, '0', '50000'],
    [{ method: 'split', other: 'card' }, '0', '50000'],
    [{ method: 'cod', returned: true }, '149900', '0'],
  ] as const satisfies readonly (readonly [World, string, string])[])(
    '%j that has ended is refunded and cancelled after a deploy without its version, and a refund under way ends',
    async (world, returned, part) => {
      const play = await new Play(world).play()
      expect(await play.outcome()).toMatchObject({ saga: 'COMPLETED', refunded: returned })
      if (part !== '0') await play.giveBack('under-way', paise(part))
      const [first, ...others] = sagaDefinitions({ UPI_WINDOW_SECONDS: 300, REVIEW_WAIT_SECONDS: 3_600 })
      if (first) play.deploy([{ ...first, version: first.version + 1 }, ...others])
      await play.run()
      expect((await play.outcome()).refunded).toBe(`${BigInt(returned) + BigInt(part)}`)
      await play.giveBack('after', paise('30000'))
      await play.cancel()
      await play.run()
      const cash = world.method === 'cod'
      if (cash) for (const sagaId of [sagaIdFor(PAYMENT_REFUND, 'after'), sagaIdFor(ORDER_CANCELLATION, orderId)]) await play.payOut(sagaId)
      await play.run()
      expect(await play.outcome()).toMatchObject({ saga: 'COMPLETED', refunded: AMOUNT, cancellation: 'COMPLETED' })
      expect((await play.state(paymentId)).definition).toBe(2)
      await play.check()
    },
  )

  it('publishes each change of the payment, with its version growing', async () => {
    const play = await new Play({ method: 'card' }).play()
    const changes = play.sent.filter(({ type }) => type === PaymentChanged.type).map(({ data }) => PaymentChanged.parse(data))
    expect(changes.at(0)).toMatchObject({ status: 'RUNNING', authorised: '0', captured: '0', paymentId, orderId })
    expect(changes.at(-1)).toMatchObject({ status: 'COMPLETED', authorised: AMOUNT, captured: AMOUNT, refunded: '0' })
    const versions = changes.map(({ version }) => version)
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
  })

  it('an undecided review waits for longer than the fraud side takes, then for an operator', async () => {
    const play = await new Play({ method: 'wallet', fraud: 'review' }).play()
    expect(await play.outcome()).toMatchObject({ saga: 'NEEDS_ATTENTION', order: 'UNDER_REVIEW' })
  })
})
