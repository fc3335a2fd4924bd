import type { Clock, OutgoingMessage, Paise } from '#kernel'
import { add, paise, ZERO } from '#kernel'
import {
  AUTHORISATION_LIFE_MS,
  REFUND_FAILED,
  type AuthoriseRequest,
  type PaymentProvider,
  type ProviderAnswer,
  type ProviderPayment,
} from '#payment'
import type { BenchAnswer } from '#saga/testing'

/** The books of the other apps, as small as their contracts allow. The bench gives a repeated command its first answer. */
export class Books {
  order: 'PLACED' | 'UNDER_REVIEW' | 'CONFIRMED' | 'CANCELLED' = 'PLACED'
  reason: string | undefined
  reserved = 0
  stockGone = false
  hold: 'none' | 'held' | 'captured' | 'released' = 'none'
  walletRefunds = 0n
  holdAmount = 0n

  /** Commands that are refused, whatever they ask for, until it is empty. */
  readonly refuses: Set<string>
  /** Commands that get to nobody, until it is empty. */
  readonly away = new Set<string>()

  constructor(private readonly world: { stock?: 'none'; fraud?: string; funds?: 'none'; refuses?: readonly string[] } = {}) {
    this.refuses = new Set(world.refuses)
  }

  readonly answer = (message: OutgoingMessage): BenchAnswer => {
    const done = { accepted: {} }
    if (this.away.has(message.type)) return 'lost'
    if (this.refuses.has(message.type)) return { refused: 'not-now' }
    switch (message.type) {
      case 'ReserveStock':
        if (this.world.stock === 'none' || this.stockGone) return { refused: 'out-of-stock' }
        this.reserved = 1
        return done
      case 'ReleaseStock':
        this.reserved = 0
        this.stockGone = true
        return done
      case 'ScoreTransaction':
        return { accepted: { decision: this.world.fraud ?? 'approve', score: 0.1 } }
      case 'StartReview':
        if (this.order === 'CANCELLED') return { refused: 'invalid-transition' }
        this.order = 'UNDER_REVIEW'
        return done
      case 'HoldFunds':
        if (this.world.funds === 'none' || this.hold === 'released') return { refused: 'insufficient-funds' }
        this.hold = 'held'
        this.holdAmount = BigInt(String(message.data['amount']))
        return done
      case 'CaptureHold':
        if (this.hold !== 'held') return { refused: 'hold-not-open' }
        this.hold = 'captured'
        return done
      case 'ReleaseHold':
        if (this.hold === 'captured') return { refused: 'hold-not-open' }
        this.hold = 'released'
        return done
      case 'RefundToWallet':
        this.walletRefunds += BigInt(String(message.data['amount']))
        return done
      case 'ConfirmOrder':
        if (this.order === 'CANCELLED') return { refused: 'invalid-transition' }
        this.order = 'CONFIRMED'
        return done
      case 'CancelOrder':
        if (this.order === 'CONFIRMED') return { refused: 'invalid-transition' }
        if (this.order !== 'CANCELLED') this.reason = String(message.data['reason'])
        this.order = 'CANCELLED'
        return done
      default:
        return 'lost'
    }
  }
}

/** What becomes of a payment of which its payer is not asked, and of one of which they are: they pay, decline, or say nothing until the window ends. */
export const NOT_ASKED = ['success', 'slow', 'lost', 'decline', 'timeout', 'late'] as const
export const ASKED = ['asked-pays', 'asked-declines', 'asked-silent'] as const
export type Luck = (typeof NOT_ASKED)[number] | (typeof ASKED)[number]

/** A card's payer is not asked. */
export const lucksOf = (method: string | undefined): readonly Luck[] => (method === 'card' ? NOT_ASKED : [...NOT_ASKED, ...ASKED])

export const isAsked = (luck: Luck | undefined): boolean => ASKED.some((asked) => asked === luck)

/** When a pending payment is settled, of those that are pending at first. */
const settlesAfter_ms = (luck: Luck, window_ms: number): number | undefined => {
  switch (luck) {
    case 'slow':
    case 'asked-pays':
    case 'asked-declines':
      return 3_000
    case 'late':
      return window_ms + 3_000
    case 'asked-silent':
      // Its window is as long as the saga's and begins a little later: when it heard of the payment.
      return window_ms + 500
    default:
      return undefined
  }
}

/**
 * What goes wrong with each call of a kind until the provider is back: `unknown`, it does not happen and nobody says so; `lost`, it happens and
 * nobody says so; `refused`, it is refused for good.
 */
export interface ProviderFault {
  readonly of: 'capture' | 'void' | 'refund'
  readonly is: 'unknown' | 'lost' | 'refused'
}

/** A provider whose outcome is chosen, and whose customers pay when they please. */
export class BooksOfProvider implements PaymentProvider {
  payment: ProviderPayment | undefined
  key = ''
  /** Told when the payer is asked, and how long they take to answer, milliseconds. */
  onAsked: ((answersAfter_ms: number) => void) | undefined
  #settledAt: number | undefined
  /** The fault is over. */
  back = false
  /** What nobody captured goes back by itself then, where it is not heard of captures. */
  #heldUntil = Infinity
  /** The plan that it was asked to be paid by. */
  plan: string | undefined
  readonly #seen = new Set<string>()

  constructor(
    private readonly clock: () => Pick<Clock, 'now'>,
    private readonly luck: Luck,
    private readonly window_ms: number,
    /** Other amounts than it was asked for, what is not heard or goes wrong, and how far off its clock is. */
    private readonly other: {
      readonly takes?: string
      readonly captures?: string
      readonly unheard?: 'capture' | 'all'
      readonly fault?: ProviderFault
      readonly clockOff_ms?: number
      readonly paysAfter_ms?: number
    } = {},
  ) {}

  /** What the payment is by now: time passes for a customer too. */
  look(): ProviderPayment | undefined {
    if (this.payment?.status === 'pending' && this.#settledAt !== undefined && this.#settledAt <= this.clock().now()) {
      const { next: _, ...payment } = this.payment
      const declined = this.luck === 'asked-declines' || this.luck === 'asked-silent'
      this.payment = declined
        ? { ...payment, status: 'declined' }
        : { ...payment, status: 'captured', captured: payment.amount, paidAt: this.#says(this.#settledAt) }
    }
    if (this.payment?.status === 'authorised' && this.#heldUntil <= this.clock().now()) this.payment = { ...this.payment, status: 'voided' }
    return this.payment
  }

  async authorise(key: string, { amount: asked, method, plan }: AuthoriseRequest): Promise<ProviderAnswer> {
    if (this.luck === 'timeout') return { known: 'unknown', detail: 'no answer' }
    if (!this.payment) {
      this.key = key
      this.plan = plan?.plan
      const amount = paise(this.other.takes ?? asked)
      const now = this.clock().now()
      const delay_ms = this.other.paysAfter_ms ?? settlesAfter_ms(this.luck, this.window_ms)
      if (this.other.unheard !== undefined) this.#heldUntil = now + AUTHORISATION_LIFE_MS
      if (delay_ms !== undefined) this.#settledAt = now + delay_ms
      const paid = method === 'card' ? 'authorised' : 'captured'
      const status = this.luck === 'decline' ? 'declined' : delay_ms === undefined ? paid : 'pending'
      this.payment = { paymentId: `pp-${key}`, status, amount, captured: status === 'captured' ? amount : ZERO, refunded: ZERO }
      if (status === paid) this.payment = { ...this.payment, paidAt: this.#says(now) }
      if (isAsked(this.luck)) {
        const kind = method === 'netbanking' ? 'redirect' : 'intent'
        this.payment = { ...this.payment, next: { kind, url: `${kind}:${key}` } }
        this.onAsked?.(delay_ms ?? 0)
      }
    }
    return this.luck === 'lost' ? { known: 'unknown', detail: 'no answer' } : this.#answer()
  }

  async find(key: string): Promise<ProviderAnswer> {
    return this.payment && key === this.key ? this.#answer() : { known: 'absent' }
  }

  async capture(key: string, _: string, amount: Paise): Promise<ProviderAnswer> {
    if (this.other.unheard !== undefined && (this.other.unheard === 'all' || this.look()?.status === 'authorised'))
      return { known: 'unknown', detail: 'no answer' }
    return this.#faulty('capture', () =>
      this.#once(key, 'authorised', (payment) => ({ ...payment, status: 'captured', captured: paise(this.other.captures ?? amount) })),
    )
  }

  async void(key: string): Promise<ProviderAnswer> {
    return this.#faulty('void', () => this.#once(key, 'authorised', (payment) => ({ ...payment, status: 'voided' })))
  }

  async refund(key: string, _: string, amount: Paise): Promise<ProviderAnswer> {
    return this.#faulty('refund', () => this.#once(key, 'captured', (payment) => ({ ...payment, refunded: add(payment.refunded, amount) })))
  }

  #says(at_ms: number): number {
    return at_ms + (this.other.clockOff_ms ?? 0)
  }

  #faulty(call: ProviderFault['of'], make: () => ProviderAnswer): ProviderAnswer {
    const { fault } = this.other
    if (this.back || fault?.of !== call) return make()
    if (fault.is === 'lost') make()
    if (fault.is === 'refused') return { known: 'refused', slug: call === 'refund' ? REFUND_FAILED : 'not-now', detail: 'refused for good' }
    return { known: 'unknown', detail: 'no answer' }
  }

  #once(key: string, from: ProviderPayment['status'], change: (payment: ProviderPayment) => ProviderPayment): ProviderAnswer {
    const payment = this.look()
    if (!payment) return { known: 'absent' }
    if (this.#seen.has(key)) return this.#answer()
    if (payment.status !== from) return { known: 'refused', slug: 'invalid-transition', detail: payment.status }
    this.payment = change(payment)
    if (this.payment.refunded > this.payment.captured) throw new Error('refunded more than was captured')
    this.#seen.add(key)
    return this.#answer()
  }

  #answer(): ProviderAnswer {
    const payment = this.look()
    return payment ? { known: 'answered', payment } : { known: 'absent' }
  }
}
