import { describe, expect, it } from '@jest/globals'
import { AlertDecided, OrderCancelled, OrderPlaced, PaymentChanged } from '#contracts'
import { NEW_SAGA, sagaIdFor, statusOf, type SagaInput, type SagaState } from '#saga'
import { SagaBench, type BenchOptions } from '#saga/testing'
import { routes } from '../messages/routes.js'
import { booksOf, paymentActivities } from '../provider/activities.js'
import { Books, BooksOfProvider, type Luck } from '../testing/books.js'
import { orderCancellation } from './order-cancellation.js'
import { ORDER_CANCELLATION, ORDER_PAYMENT, orderPayment } from './order-payment.js'

const WINDOW_MS = 15_000
const AMOUNT = '299800'
const definitions = [orderPayment({ paymentWindow_ms: WINDOW_MS, reviewWait_ms: 25 * 3_600_000 }), orderCancellation]

type Method = 'wallet' | 'upi' | 'card' | 'netbanking' | 'cod' | 'split'
interface World {
  readonly method: Method
  readonly luck?: Luck
  readonly stock?: 'none'
  readonly fraud?: string
  readonly funds?: 'none'
  readonly review?: 'approve' | 'decline'
  /** The provider tells of each change by webhook, twice, besides answering. */
  readonly webhooks?: boolean
  /** The customer cancels when the order gets there, or after so many milliseconds. */
  readonly cancel?: 'CONFIRMED' | number
}

const example = OrderPlaced.example
const { orderId } = example
const paymentId = sagaIdFor(ORDER_PAYMENT, orderId)
const context = { correlationId: orderId, causationId: 'test' }

class Play extends SagaBench {
  last: SagaState = NEW_SAGA
  readonly books: Books
  readonly provider: BooksOfProvider

  constructor(
    readonly world: World,
    crash?: BenchOptions['crash'],
  ) {
    const books = new Books(world)
    const late: { clock: Pick<SagaBench['clock'], 'now'> } = { clock: { now: () => 0 } }
    const provider = new BooksOfProvider(() => late.clock, world.luck ?? 'success', WINDOW_MS)
    super({
      definitions,
      routes,
      activities: paymentActivities({ provider, sealed: { openAll: async () => ['instrument'] }, settle_ms: 9_000 }),
      answer: (message) => {
        const answer = books.answer(message)
        if (message.type === 'StartReview' && world.review) this.later(1_000, () => this.decide())
        if (message.type === 'ConfirmOrder' && world.cancel === 'CONFIRMED' && books.order === 'CONFIRMED')
          this.later(0, () => this.cancel())
        return answer
      },
      ...(crash ? { crash } : {}),
    })
    this.books = books
    this.provider = provider
    late.clock = this.clock
  }

  async play(): Promise<this> {
    const { method, cancel, webhooks } = this.world
    const sealed = { subject: 'c-1', nonce: 'n', ciphertext: 'c' }
    const payment = { method, ...(method === 'wallet' ? { walletId: 'w-1' } : {}), ...(method === 'cod' ? {} : { instrument: sealed }) }
    const data = { ...example, payment }
    if (typeof cancel === 'number') this.later(cancel, () => this.cancel())
    if (webhooks)
      for (const after_ms of [100, 4_000, WINDOW_MS + 3_500, WINDOW_MS + 3_600]) this.later(after_ms, () => this.webhook(after_ms))
    await this.deliver(OrderPlaced.message(orderId, data, context), 'placed')
    await this.run()
    return this
  }

  async cancel(): Promise<void> {
    const wasConfirmed = this.books.order === 'CONFIRMED'
    this.books.order = 'CANCELLED'
    this.books.reason = 'customer'
    await this.deliver(OrderCancelled.message(orderId, { ...OrderCancelled.example, orderId, wasConfirmed }, context), 'cancelled')
  }

  async decide(): Promise<void> {
    const decision = this.world.review ?? 'approve'
    await this.deliver(AlertDecided.message(orderId, { ...AlertDecided.example, orderId, decision }, context), 'decided')
  }

  async webhook(nth: number): Promise<void> {
    const payment = this.provider.look()
    if (!payment) return
    const input: SagaInput = {
      kind: 'message',
      id: `w-${nth}`,
      sagaId: paymentId,
      context,
      name: 'provider-payment',
      body: booksOf(payment),
    }
    await this.apply(input)
  }

  async outcome() {
    const saga = await this.state(paymentId)
    const { data } = saga
    const cancellation = await this.state(sagaIdFor(ORDER_CANCELLATION, orderId))
    return {
      saga: statusOf(saga),
      order: this.books.order,
      reason: this.books.reason,
      captured: String(data['captured']),
      refunded: String(data['refunded']),
      cancellation: cancellation.phase === 'new' ? undefined : statusOf(cancellation),
    }
  }

  /** Confirmed and captured, or wholly compensated, or refunded by the cancellation: and all books say the same. */
  async check(): Promise<void> {
    const { saga, order, captured, refunded, cancellation } = await this.outcome()
    const provider = this.provider.look()
    const atProvider = { taken: provider ? provider.captured - provider.refunded : 0n, held: provider?.status === 'authorised' }
    const atWallet = this.books.hold === 'captured' ? BigInt(AMOUNT) - this.books.walletRefunds : 0n
    const net = BigInt(captured) - BigInt(refunded)
    expect({ atProvider, tasks: this.store.tasks(), errors: this.errors }).toEqual({
      atProvider: { taken: atProvider.taken, held: false },
      tasks: [],
      errors: [],
    })
    expect(atProvider.taken + atWallet).toBe(net)
    if (order === 'CONFIRMED') {
      expect({ saga, net: net.toString(), reserved: this.books.reserved, cancellation }).toEqual({
        saga: 'COMPLETED',
        net: this.world.method === 'cod' ? '0' : AMOUNT,
        reserved: 1,
        cancellation: undefined,
      })
    } else {
      expect({ order, net, reserved: this.books.reserved, hold: this.books.hold === 'held' }).toEqual({
        order: 'CANCELLED',
        net: 0n,
        reserved: 0,
        hold: false,
      })
      expect(cancellation === undefined ? saga : cancellation).toBe(cancellation === undefined ? 'COMPENSATED' : 'COMPLETED')
    }
  }
}

const confirmed = (captured = AMOUNT) => ({ saga: 'COMPLETED', order: 'CONFIRMED', captured, refunded: '0' })
const cancelled = (reason: string, taken = '0') => ({ saga: 'COMPENSATED', order: 'CANCELLED', reason, captured: taken, refunded: taken })
const refunded = (taken = AMOUNT) => ({
  saga: 'COMPLETED',
  order: 'CANCELLED',
  reason: 'customer',
  captured: taken,
  refunded: taken,
  cancellation: 'COMPLETED',
})

const provided = (['upi', 'card', 'netbanking'] as const).flatMap((method): readonly (readonly [World, object])[] => [
  [{ method }, confirmed()],
  [{ method, webhooks: true }, confirmed()],
  [{ method, luck: 'lost' }, confirmed()],
  [{ method, luck: 'lost', webhooks: true }, confirmed()],
  [{ method, luck: 'decline' }, cancelled('payment-declined')],
  [{ method, luck: 'decline', webhooks: true }, cancelled('payment-declined')],
  [{ method, luck: 'timeout' }, cancelled('payment-expired')],
  [{ method, fraud: 'decline' }, cancelled('fraud-declined')],
  [{ method, fraud: 'review', review: 'approve' }, confirmed()],
  [{ method, cancel: 'CONFIRMED' }, refunded()],
  [{ method, luck: 'timeout', cancel: 5_000 }, cancelled('customer')],
])

const CASES: readonly (readonly [World, object])[] = [
  [{ method: 'wallet' }, confirmed()],
  [{ method: 'wallet', stock: 'none' }, cancelled('out-of-stock')],
  [{ method: 'wallet', funds: 'none' }, cancelled('payment-declined')],
  [{ method: 'wallet', fraud: 'decline' }, cancelled('fraud-declined')],
  [{ method: 'wallet', fraud: 'review', review: 'approve' }, confirmed()],
  [{ method: 'wallet', fraud: 'review', review: 'decline' }, cancelled('fraud-declined')],
  [{ method: 'wallet', fraud: 'review', cancel: 5_000 }, cancelled('customer')],
  [{ method: 'wallet', cancel: 'CONFIRMED' }, refunded()],
  [{ method: 'cod' }, confirmed('0')],
  [{ method: 'cod', stock: 'none' }, cancelled('out-of-stock')],
  [{ method: 'cod', fraud: 'review', review: 'approve' }, confirmed('0')],
  [{ method: 'cod', cancel: 'CONFIRMED' }, refunded('0')],
  [{ method: 'split' }, cancelled('payment-declined')],
  ...provided,
  [{ method: 'upi', luck: 'slow' }, confirmed()],
  [{ method: 'upi', luck: 'slow', webhooks: true }, confirmed()],
  [{ method: 'upi', luck: 'late' }, cancelled('payment-expired', AMOUNT)],
  [{ method: 'upi', luck: 'late', webhooks: true }, cancelled('payment-expired', AMOUNT)],
  [{ method: 'upi', luck: 'slow', cancel: 1_000 }, cancelled('customer', AMOUNT)],
]

describe('an order payment', () => {
  it.each(CASES.map(([world, end]) => [JSON.stringify(world), world, end] as const))('%s', async (_, world, end) => {
    const play = await new Play(world).play()
    expect(await play.outcome()).toMatchObject(end)
    await play.check()
  })

  it.each(CASES.map(([world, end]) => [JSON.stringify(world), world, end] as const))('%s, killed at every step', async (_, world, end) => {
    const { transactions } = await new Play(world).play()
    for (let at = 1; at <= transactions; at++) {
      for (const when of ['before', 'after'] as const) {
        const play = await new Play(world, { at, when }).play()
        // A timer that died with its process fires late, and a customer who pays in the meantime has paid in time.
        const inTime = world.luck === 'late' && play.books.order === 'CONFIRMED'
        if (!inTime) expect({ at, when, ...(await play.outcome()) }).toMatchObject({ at, when, ...end })
        await play.check()
      }
    }
  })

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
        .react({ of: () => ({ state: play.last, version: 9 }) } as unknown as Parameters<ReturnType<Play['engine']['think']>['react']>[0])

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
      const play = await stuck({ method: 'wallet' }, 'capture-hold', { captured: '0' })
      expect(dataAfter(resume(play, 'capture-hold', {}, 'refused'))).toMatchObject({ captured: '0' })
      expect(dataAfter(resume(play, 'capture-hold'))).toMatchObject({ captured: AMOUNT })
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
    [{ method: 'cod', captured: '0' }, undefined],
    [{ method: 'card', captured: '5', providerPaymentId: 'p-1' }, undefined],
  ])('what a cancellation must be told of the capture, of %j: %j', (told, lacks) => {
    const step = orderCancellation.steps.find(({ name }) => name === 'await-capture')
    const made = step?.does?.byHand?.(told, { data: {} } as Parameters<NonNullable<NonNullable<typeof step.does>['byHand']>>[1])
    expect(made).toEqual(lacks ? { lacks } : { result: told })
  })

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
