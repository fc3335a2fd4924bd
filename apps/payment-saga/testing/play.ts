import { expect } from '@jest/globals'
import { AlertDecided, OrderCancelled, OrderDelivered, OrderPlaced, OrderReturned } from '#contracts'
import { isRefusal, paise, type MessageContext, type Paise } from '#kernel'
import { NEW_SAGA, sagaIdFor, statusOf, type SagaInput, type SagaState } from '#saga'
import { killedEverywhere, SagaBench, type BenchOptions, type Playable } from '#saga/testing'
import { routes } from '../messages/routes.js'
import { booksOf, paymentActivities } from '../provider/activities.js'
import { sagaDefinitions } from '../sagas/definitions.js'
import { REFUND_REQUESTED } from '../sagas/order-payment.js'
import { amountsOf, requestRefund, type OrderPayment } from '../sagas/payment-data.js'
import { AUTHORISE, PAYER_RETURNED } from '../sagas/provider-part.js'
import { ORDER_CANCELLATION, ORDER_PAYMENT, PAYMENT_REFUND } from '../sagas/saga-types.js'
import { Books, BooksOfProvider, type Luck, type ProviderFault } from './books.js'
import { askingLess, mend } from './provider-faults.js'

export const WINDOW_MS = 15_000
export const AMOUNT = '299800'
const definitionsOf = ({ window_ms = WINDOW_MS }: World) =>
  sagaDefinitions({ UPI_WINDOW_SECONDS: window_ms / 1_000, REVIEW_WAIT_SECONDS: 25 * 3_600 })

export type Method = 'wallet' | 'upi' | 'card' | 'netbanking' | 'cod' | 'split'
/** What happens around an order's payment. */
export interface World {
  readonly method: Method
  /** How a split pays what the wallet does not. */
  readonly other?: 'upi' | 'card' | 'netbanking'
  readonly luck?: Luck
  readonly flow?: 'collect' | 'intent'
  /** The EMI or pay-later plan. */
  readonly plan?: string
  /** How long the payer has, and when they pay. */
  readonly window_ms?: number
  readonly paysAfter_ms?: number
  /** What the provider authorises, or captures, instead of what it was asked for. */
  readonly takes?: string
  readonly captures?: string
  /** How far off the provider's clock is. */
  readonly clockOff_ms?: number
  /** Captures do not get to the provider: as long as anything is held, or ever. */
  readonly unheard?: 'capture' | 'all'
  readonly stock?: 'none'
  readonly fraud?: string
  readonly funds?: 'none'
  readonly review?: 'approve' | 'decline'
  /** What the provider does not do, or say, until an operator has been called and it is back. */
  readonly fault?: ProviderFault
  /** It is asked a few times instead of dozens, or hundreds, before a person is called. */
  readonly asksLess?: true
  /** The provider tells of each change by webhook, twice, besides answering. */
  readonly webhooks?: boolean
  /** The customer cancels when the order gets there, or after so many milliseconds. */
  readonly cancel?: 'CONFIRMED' | number
  /**
   * A merchant gives a part back, then more than is left, then the rest; or gives a part back and the order is cancelled, or comes back, at that
   * moment: together they are more than was taken.
   */
  readonly refunds?: 'parts' | 'racing-a-cancellation' | 'racing-a-return'
  /** The courier delivers the order (and collects what is due), and half of it comes back. */
  readonly returned?: true
}

const WALLET_PART = '100000'
const RETURNED = '149900'

const example = OrderPlaced.example
export const { orderId } = example
export const paymentId = sagaIdFor(ORDER_PAYMENT, orderId)
export const context = { correlationId: orderId, causationId: 'test' }

/** One order's payment from its placing to its end, with the other apps' books and a provider's beside it. */
export class Play extends SagaBench {
  last: SagaState = NEW_SAGA
  readonly books: Books
  readonly provider: BooksOfProvider

  constructor(
    readonly world: World,
    crash?: BenchOptions['crash'],
  ) {
    const books = new Books(world)
    const late: { clock: Pick<SagaBench['clock'], 'now'> } = { clock: { now: () => 0 } }
    const provider = new BooksOfProvider(() => late.clock, world.luck ?? 'success', world.window_ms ?? WINDOW_MS, world)
    super({
      definitions: world.asksLess ? definitionsOf(world).map(askingLess) : definitionsOf(world),
      routes,
      activities: paymentActivities({ provider, sealed: { openAll: async () => ['instrument'] }, settle_ms: 9_000 }),
      answer: (message) => {
        const answer = books.answer(message)
        if (message.type === 'StartReview' && world.review) this.later(1_000, () => this.decide())
        if (message.type === 'ConfirmOrder' && books.order === 'CONFIRMED') this.afterwards()
        return answer
      },
      ...(crash ? { crash } : {}),
    })
    this.books = books
    this.provider = provider
    late.clock = this.clock
    // Where nobody tells of it, the bank's page sends its payer back; a UPI app sends nobody.
    const { method, other, webhooks } = world
    if ((other ?? method) === 'netbanking' && !webhooks)
      provider.onAsked = (after_ms) => this.later(after_ms, () => payerReturns(this, paymentId, context))
  }

  async play(): Promise<this> {
    const { method, other, flow, plan, cancel, webhooks, window_ms = WINDOW_MS, paysAfter_ms = 4_000 } = this.world
    const sealed = { subject: 'c-1', nonce: 'n', ciphertext: 'c' }
    const payment = {
      method,
      ...(flow ? { flow } : {}),
      ...(plan ? { plan } : {}),
      ...(method === 'wallet' || method === 'split' ? { walletId: 'w-1' } : {}),
      ...(method === 'cod' || method === 'split' ? {} : { instrument: sealed }),
      ...(method === 'split' ? { walletAmount: WALLET_PART, ...(other ? { other: { method: other, instrument: sealed } } : {}) } : {}),
    }
    const data = { ...example, payment }
    if (typeof cancel === 'number') this.later(cancel, () => this.cancel())
    if (webhooks)
      for (const after_ms of [100, paysAfter_ms, window_ms + 3_500, window_ms + 3_600]) this.later(after_ms, () => this.webhook(after_ms))
    await this.deliver(OrderPlaced.message(orderId, data, context), 'placed')
    await this.run()
    const { fault } = this.world
    if (!fault) return this
    const called = await mend(this, context)
    if (fault.is !== 'lost') expect({ called: called > 0 }).toEqual({ called: true })
    return this
  }

  /** What happens to an order once it is confirmed. */
  afterwards(): void {
    const { cancel, refunds, returned, method } = this.world
    if (cancel === 'CONFIRMED') this.later(0, () => this.cancel())
    if (refunds === 'parts' || refunds === 'racing-a-cancellation') this.later(60_000, () => this.giveBack('r-1', paise('50000')))
    if (refunds === 'racing-a-cancellation') this.later(60_000, () => this.cancel())
    if (refunds === 'parts') {
      this.later(60_000, () => this.giveBack('r-2', paise('30000')))
      this.later(61_000, () => this.giveBack('r-3', paise(AMOUNT)))
      this.later(90_000, () => this.giveBack('r-4', undefined))
    }
    const before = () => this.later(61_000, () => this.giveBack('r-1', paise('200000')))
    const after = () => this.later(61_000, () => this.giveBack('r-2', paise('200000')))
    if (refunds === 'racing-a-return') before()
    if (!returned) return
    const about = { orderId, version: 3, customerId: 'c-1', at: example.placedAt, by: 'm-1', method }
    const gst = { cgst: '11433', sgst: '11433', igst: '0' }
    const items = [{ sku: 'BOAT-141', quantity: 1, amount: RETURNED, gst }]
    const collected = method === 'cod' ? AMOUNT : '0'
    this.later(60_000, () => this.deliver(OrderDelivered.message(orderId, { ...about, collected }, context), 'delivered'))
    this.later(61_000, () => this.deliver(OrderReturned.message(orderId, { ...about, items, refund: RETURNED, gst }, context), 'returned'))
    if (refunds === 'racing-a-return') after()
    if (method === 'cod') this.later(120_000, () => this.payOut())
  }

  /** As the HTTP command does it: looked at first, and refused where it cannot be. */
  async giveBack(refundId: string, amount: Paise | undefined): Promise<void> {
    const { data, phase } = await this.state(paymentId)
    if (phase !== 'completed' || isRefusal(requestRefund(data as unknown as OrderPayment, amount))) return
    const body = { refundId, at: example.placedAt, ...(amount === undefined ? {} : { amount: `${amount}` }) }
    await this.apply({ kind: 'message', id: `refund ${refundId}`, sagaId: paymentId, context, name: REFUND_REQUESTED, body })
  }

  /** A person gives the cash back, and says so. */
  async payOut(sagaId = sagaIdFor(PAYMENT_REFUND, sagaIdFor(`${PAYMENT_REFUND} of a return`, orderId))): Promise<void> {
    const operator = { action: 'resume', step: 'pay-out-cash', outcome: 'succeeded', evidence: 'UTR 1' } as const
    await this.apply({ kind: 'operator', id: `paid out ${sagaId}`, sagaId, context, by: 'ops', reason: 'returned', operator })
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
    const { captured, refunded } = amountsOf(saga.data as unknown as OrderPayment)
    const cancellation = await this.state(sagaIdFor(ORDER_CANCELLATION, orderId))
    return {
      saga: statusOf(saga),
      order: this.books.order,
      reason: this.books.reason,
      captured: `${captured}`,
      refunded: `${refunded}`,
      cancellation: cancellation.phase === 'new' ? undefined : statusOf(cancellation),
    }
  }

  async end() {
    const { order, reason, saga } = await this.outcome()
    return { order, reason, saga }
  }

  /** Confirmed and captured, or wholly compensated, or given back: and all books say the same. */
  async check(): Promise<void> {
    const { saga, order, captured, refunded, cancellation } = await this.outcome()
    const provider = this.provider.look()
    const atProvider = provider ? provider.captured - provider.refunded : 0n
    const inWallet = this.books.hold === 'captured' ? this.books.holdAmount - this.books.walletRefunds : 0n
    const inCash = this.world.method === 'cod' ? BigInt(captured) - BigInt(refunded) : 0n
    const net = BigInt(captured) - BigInt(refunded)
    expect([net >= 0n, this.provider.plan ?? this.world.plan]).toEqual([true, this.world.plan])
    expect({ held: provider?.status === 'authorised', tasks: this.store.tasks(), errors: this.errors }).toEqual({
      held: false,
      tasks: [],
      errors: [],
    })
    expect(atProvider + inWallet + inCash).toBe(net)
    const ended = order === 'CONFIRMED' ? { saga: 'COMPLETED', reserved: 1 } : { order: 'CANCELLED', reserved: 0, held: false }
    expect({ order, saga, reserved: this.books.reserved, held: this.books.hold === 'held' }).toMatchObject(ended)
    expect(order === 'CONFIRMED' ? this.kept : [0n]).toContain(net)
    if (order === 'CONFIRMED') expect(cancellation).toBeUndefined()
    else expect(cancellation ?? saga).toBe(cancellation === undefined ? 'COMPENSATED' : 'COMPLETED')
    for (const { status } of this.store.instances()) expect(['COMPLETED', 'COMPENSATED']).toContain(status)
  }

  /** What a confirmed order's merchant has in the end. Of a race: the refund came first and the return took the rest, or the return and there was too little left. */
  private get kept(): readonly bigint[] {
    const { method, refunds, returned } = this.world
    if (refunds === 'racing-a-return') return [0n, BigInt(AMOUNT) - BigInt(RETURNED)]
    if (refunds) return [0n]
    if (method === 'cod' && !returned) return [0n]
    return [BigInt(AMOUNT) - (returned ? BigInt(RETURNED) : 0n)]
  }
}

/** As the callback takes it: while the provider is asked, and at most once for each asking. */
export const payerReturns = async (bench: SagaBench, sagaId: string, context: MessageContext): Promise<void> => {
  const asked = (await bench.state(sagaId)).steps[AUTHORISE]
  if (asked?.status !== 'running') return
  const id = `returned ${sagaId} ${asked.attempts}`
  await bench.apply({ kind: 'message', id, sagaId, context, name: PAYER_RETURNED, body: {} })
}

/** Plays it once per transaction and side of it, killing the process there. Wherever it dies, the books agree in the end. */
export const killedAtEveryStep = async (world: World): Promise<void> => {
  // A timer that died with its process fires late: who pays, or cancels, in the meantime was in time, and who was silent has declined.
  const endsTheSame =
    world.luck !== 'late' && world.luck !== 'asked-silent' && world.paysAfter_ms === undefined && typeof world.cancel !== 'number'
  await killedEverywhere((crash) => (endsTheSame ? new Play(world, crash) : anyEnd(new Play(world, crash))))
}

/** One that may end otherwise where it was killed. */
export const anyEnd = (play: Playable): Playable => ({
  get transactions() {
    return play.transactions
  },
  play: () => play.play(),
  check: () => play.check(),
})
