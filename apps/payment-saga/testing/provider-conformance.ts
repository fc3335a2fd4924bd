import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { paise, systemIds } from '#kernel'
import { eventually } from '#kernel/testing'
import type { AuthoriseRequest, PaymentProvider, ProviderAnswer, ProviderMethod, ProviderPayment } from '#payment'
import { actionKey, sagaIdFor } from '#saga'
import type { ProviderWebhooks } from '../webhooks/provider-webhooks.js'
import type { FaultyNetwork } from './faulty-network.js'

type Instrument = Pick<AuthoriseRequest, 'method' | 'instrument' | 'flow'>

/** A provider as its adapter sees it, with what a test must be able to do to it. */
export interface ProviderWorld {
  readonly provider: PaymentProvider
  readonly webhooks: ProviderWebhooks
  readonly network: FaultyNetwork
  /** Paid at once; held until it is captured; declined; pending until its payer goes on elsewhere. */
  readonly instruments: Readonly<Record<'paid' | 'held' | 'declined' | 'asked', Instrument>>
  /** Webhooks so far. */
  heard(): readonly { readonly body: string; readonly signature: string }[]
  /** Authorisations that nobody captured have had their time. */
  lapse(): void
  close(): Promise<void>
}

const AMOUNT = paise(1_234_500)

/** What every adapter of a payment provider must do. */
export const providerConformance = (name: string, make: () => Promise<ProviderWorld>): void => {
  describe(`the provider: ${name}`, () => {
    let world: ProviderWorld
    beforeAll(async () => {
      world = await make()
    })
    afterAll(() => world.close())
    beforeEach(() => {
      world.network.next()
      world.network.always(undefined)
    })

    const signal = new AbortController().signal
    const newKey = () =>
      actionKey({ sagaId: sagaIdFor('order-payment', systemIds.next()), step: 'authorise-payment', side: 'do', round: 1 })
    const ask = (key: string, instrument: Instrument, amount = AMOUNT) =>
      world.provider.authorise(key, { orderId: `order of ${key}`, amount, ...instrument }, signal)
    const paymentOf = (answer: ProviderAnswer): ProviderPayment => {
      if (answer.known !== 'answered') throw new Error(`not answered: ${JSON.stringify(answer)}`)
      return answer.payment
    }
    /** As it is when its outcome is known. */
    const outcomeOf = async (key: string): Promise<ProviderPayment> => {
      let payment: ProviderPayment | undefined
      await eventually('an outcome', async () => {
        payment = paymentOf(await world.provider.find(key, signal))
        return payment.status !== 'pending'
      })
      if (!payment) throw new Error('no outcome')
      return payment
    }
    const made = async (instrument: Instrument) => {
      const key = newKey()
      const { paymentId } = paymentOf(await ask(key, instrument))
      await outcomeOf(key)
      return { key, paymentId }
    }

    it.each([
      ['paid', { status: 'captured', amount: AMOUNT, captured: AMOUNT, refunded: 0n }],
      ['held', { status: 'authorised', amount: AMOUNT, captured: 0n, refunded: 0n }],
      ['declined', { status: 'declined', captured: 0n, refunded: 0n }],
    ] as const)('tells what became of a payment that is %s, in paise, and the same for its key again', async (how, books) => {
      const key = newKey()
      const first = paymentOf(await ask(key, world.instruments[how]))
      expect(await outcomeOf(key)).toMatchObject({ ...books, paymentId: first.paymentId })
      expect(paymentOf(await ask(key, world.instruments[how]))).toMatchObject({ ...books, paymentId: first.paymentId })
      expect(await ask(key, world.instruments[how], paise(AMOUNT + 1n))).toMatchObject({ known: 'refused' })
    })

    it('says where the payer goes on while it is pending', async () => {
      const key = newKey()
      const payment = paymentOf(await ask(key, world.instruments.asked))
      expect(payment).toMatchObject({ status: 'pending', captured: 0n, next: { kind: expect.stringMatching(/^(redirect|intent)$/) } })
      expect(payment.next?.url).toMatch(/^[a-z]+:\/\//)
      expect(paymentOf(await world.provider.find(key, signal))).toMatchObject({ status: 'pending', paymentId: payment.paymentId })
    })

    it('knows nothing of a key that no payment was asked for with', async () => {
      expect(await world.provider.find(newKey(), signal)).toEqual({ known: 'absent' })
    })

    it('tells the provider the key of a payment and of a refund', async () => {
      const { key, paymentId } = await made(world.instruments.paid)
      await world.provider.refund(`${key}:refund`, paymentId, paise(100), signal)
      const told = (said: string) => world.network.sent.filter(({ method, body }) => method === 'POST' && body.includes(`"${said}"`)).length
      expect(told(key)).toBeGreaterThan(0)
      expect(told(`${key}:refund`)).toBe(1)
    })

    it('captures what is held, once, and refuses what is not', async () => {
      const { paymentId } = await made(world.instruments.held)
      for (let times = 0; times < 2; times++)
        expect(paymentOf(await world.provider.capture('capture', paymentId, AMOUNT, signal))).toMatchObject({
          status: 'captured',
          captured: AMOUNT,
        })
      const declined = await made(world.instruments.declined)
      expect(await world.provider.capture('capture', declined.paymentId, AMOUNT, signal)).toMatchObject({ known: 'refused' })
    })

    it('refunds in parts, each key once, and never more than was captured', async () => {
      const { key, paymentId } = await made(world.instruments.paid)
      const refund = (nth: number, amount: bigint) => world.provider.refund(`${key}:${nth}`, paymentId, paise(amount), signal)
      expect(paymentOf(await refund(1, 500n))).toMatchObject({ status: 'captured', refunded: 500n })
      expect(paymentOf(await refund(2, 700n)).refunded).toBe(1_200n)
      await refund(1, 500n)
      expect((await outcomeOf(key)).refunded).toBe(1_200n)
      expect(await refund(3, AMOUNT)).toMatchObject({ known: 'refused' })
      expect(paymentOf(await refund(4, AMOUNT - 1_200n))).toMatchObject({ status: 'captured', captured: AMOUNT, refunded: AMOUNT })
      const held = await made(world.instruments.held)
      expect(await world.provider.refund(held.key, held.paymentId, paise(1), signal)).toMatchObject({ known: 'refused' })
    })

    it('gives up what is held, and says so only when it is', async () => {
      const { key, paymentId } = await made(world.instruments.held)
      const first = await world.provider.void(`${key}:void`, paymentId, signal)
      expect(first.known === 'unknown' ? 'authorised' : 'voided').toBe((await outcomeOf(key)).status)
      world.lapse()
      for (let times = 0; times < 2; times++)
        expect(paymentOf(await world.provider.void(`${key}:void`, paymentId, signal)).status).toBe('voided')
      expect(await world.provider.capture('capture', paymentId, AMOUNT, signal)).toMatchObject({ known: 'refused' })
    })

    it.each(['request lost', 'answer lost'] as const)('asks about a payment whose %s, and makes it once', async (fault) => {
      // Whichever of the requests that one payment takes is lost.
      for (let at = 0; at < 3; at++) {
        const key = newKey()
        world.network.next(...Array.from({ length: at }, () => undefined), fault)
        const first = await ask(key, world.instruments.paid)
        world.network.next()
        if (first.known !== 'answered') {
          expect(first.known).toBe('unknown')
          const found = await world.provider.find(key, signal)
          if (found.known !== 'absent') expect(found.known).toBe('answered')
        }
        const again = paymentOf(await ask(key, world.instruments.paid))
        expect(await outcomeOf(key)).toMatchObject({ paymentId: again.paymentId, captured: AMOUNT })
        if (first.known === 'answered') expect(first.payment.paymentId).toBe(again.paymentId)
      }
    })

    it('asks about a capture and a refund whose answers are lost, and makes each once', async () => {
      const { key, paymentId } = await made(world.instruments.held)
      world.network.next('answer lost')
      expect((await world.provider.capture('capture', paymentId, AMOUNT, signal)).known).toBe('unknown')
      expect(paymentOf(await world.provider.capture('capture', paymentId, AMOUNT, signal)).captured).toBe(AMOUNT)
      world.network.next('answer lost')
      expect((await world.provider.refund(`${key}:r`, paymentId, paise(300), signal)).known).toBe('unknown')
      expect(paymentOf(await world.provider.refund(`${key}:r`, paymentId, paise(300), signal)).refunded).toBe(300n)
    })

    it.each([
      [500, '{}'],
      [502, '<html>'],
      [401, '{}'],
      [404, '<html>'],
      [404, '{"message":"no such route"}'],
      [400, '{"message":"bad request"}'],
      [429, '{}'],
      [200, '{"status":"captured"}'],
      [200, '<html>'],
      [200, ''],
    ])('believes %s %s nothing, whatever was asked', async (status, body) => {
      world.network.always({ status, body })
      const { provider } = world
      const request = { orderId: 'o-1', amount: AMOUNT, method: 'upi' as ProviderMethod, instrument: world.instruments.paid.instrument }
      const answers = await Promise.all([
        provider.authorise('k', request, signal),
        provider.find('k', signal),
        provider.capture('k', 'pay_1', AMOUNT, signal),
        provider.void('k', 'pay_1', signal),
        provider.refund('k', 'pay_1', AMOUNT, signal),
      ])
      expect(answers.map(({ known }) => known)).toEqual(Array.from({ length: 5 }, () => 'unknown'))
    })

    it('sends nothing once its caller has no more time', async () => {
      const sent = world.network.sent.length
      expect(await world.provider.find(newKey(), AbortSignal.abort())).toMatchObject({ known: 'unknown' })
      expect(world.network.sent.length).toBe(sent)
    })

    describe('its webhooks', () => {
      const toldOf = (key: string) =>
        world.heard().flatMap(({ body, signature }) => {
          const event = world.webhooks.read(body)
          return event?.told?.key === key ? [{ ...event, books: event.told.books, body, signature }] : []
        })

      it('are signed over their very bytes, by this secret alone', async () => {
        const { key } = await made(world.instruments.paid)
        await eventually('one came', () => toldOf(key).length > 0)
        const [{ body, signature } = { body: '', signature: '' }] = toldOf(key)
        const signed = (bytes: string, by: string | undefined) => world.webhooks.isSigned(Buffer.from(bytes), by, Date.now())
        expect(signed(body, signature)).toBe(true)
        expect(signed(`${body} `, signature)).toBe(false)
        expect(signed(body.replace('1234500', '1'), signature)).toBe(false)
        for (const none of [
          undefined,
          '',
          'x',
          signature.slice(0, -1),
          `${signature}0`,
          signature.replace(/.$/, (sign) => (sign === '0' ? '1' : '0')),
        ])
          expect(signed(body, none)).toBe(false)
      })

      it.each([
        ['paid', 'captured'],
        ['held', 'authorised'],
        ['declined', 'declined'],
      ] as const)('of a payment that is %s name its key, and say %s in paise', async (how, status) => {
        const { key, paymentId } = await made(world.instruments[how])
        await eventually('it is told', () => toldOf(key).some(({ books }) => books['status'] === status))
        const books = toldOf(key).find((each) => each.books['status'] === status)?.books
        expect(books).toMatchObject({ providerPaymentId: paymentId, ...(status === 'captured' ? { captured: `${AMOUNT}` } : {}) })
      })

      it('may come before the answer of the call that caused them', async () => {
        const key = newKey()
        // Only the request that makes the payment waits for one; another adapter's first may be to look.
        let told = false
        world.network.next(
          ...Array.from({ length: 5 }, () => ({
            until: async () => {
              const last = world.network.sent.at(-1)
              if (last?.method !== 'POST' || !/\/payments(\/create\/json)?$/.test(last.url)) return
              await eventually('a webhook', () => toldOf(key).some(({ books }) => books['status'] === 'captured'))
              told = true
            },
          })),
        )
        const answer = await ask(key, world.instruments.paid)
        expect([told, answer.known]).toEqual([true, 'answered'])
      })

      it('that say nothing of this provider are none', () => {
        for (const text of ['', '{', 'null', '[]', '{"event":"payment.captured"}']) expect(world.webhooks.read(text)).toBeUndefined()
      })
    })
  })
}
