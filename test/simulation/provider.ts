import { isRefusal, type Ids, type Paise } from '#kernel'
import type { AuthoriseRequest, PaymentProvider, ProviderAnswer } from '#payment'
import { chance, delayOf_ms, outcomeOf } from '../../apps/provider-sandbox/outcome.js'
import { decided, due, opened, operate, type Change, type Operation, type Payment } from '../../apps/provider-sandbox/payment.js'
import type { Life } from './process.js'
import type { Scheduler } from './scheduler.js'

export interface ProviderSettings {
  readonly seed: number
  readonly upiWindow_seconds: number
  readonly lostWebhookDelay_ms: number
}

/** A request takes at most this long on its way, also when its sender died meanwhile. Shorter than the time that the sagas wait for it. */
const NETWORK_MS = 6_000
/** How long a caller waits for an answer that does not come. */
const HANGS_MS = 5_000
const HELD_BACK_MS = 3_000
const WEBHOOK_PAUSE_MS = 1_000
const MOST_ATTEMPTS = 40
/** Whether a payer who is asked pays; undefined: they do not answer. */
const ASKED_SAY = [true, false, undefined] as const

/**
 * The payment provider: the sandbox's own rules (`apps/provider-sandbox`), its books in memory, behind a network that loses requests and
 * answers. It is somebody else's: it does not crash, and what reached it stays.
 */
export class SimulatedProvider {
  readonly payments = new Map<string, Payment>()
  /** Payments not yet paid and webhooks not yet taken. */
  outstanding = 0
  readonly #operations = new Map<string, Payment>()

  constructor(
    private readonly scheduler: Scheduler,
    private readonly ids: Ids,
    private readonly settings: ProviderSettings,
    /** Sends a webhook; rejects unless it was taken. */
    private readonly send: (body: string) => Promise<void>,
  ) {}

  /** The provider as one process sees it. */
  port(life: Life): PaymentProvider {
    const over = (what: string, effect: () => ProviderAnswer) => this.#network(life, what, effect)
    return {
      authorise: (key, request) => over('authorise', () => this.#authorise(key, request)),
      find: (key) => over('find', () => this.#answer(this.payments.get(key))),
      capture: (key, id, amount) => over('capture', () => this.#operate('capture', key, id, amount)),
      void: (key, id) => over('void', () => this.#operate('void', key, id)),
      refund: (key, id, amount) => over('refund', () => this.#operate('refund', key, id, amount)),
    }
  }

  #network(life: Life, what: string, effect: () => ProviderAnswer): Promise<ProviderAnswer> {
    const { scheduler } = this
    return new Promise((resolve) => {
      const hang = () => void life.clock.sleep(HANGS_MS).then(() => resolve({ known: 'unknown', detail: 'no answer' }))
      scheduler.park({
        process: 'provider',
        what,
        faults: ['request lost', 'answer lost'],
        by_ms: scheduler.clock.now() + NETWORK_MS,
        alive: () => true,
        run: (fault) => {
          if (fault === 'request lost') return hang()
          const answer = effect()
          if (fault === 'answer lost' || answer.known === 'unknown') return hang()
          life.answer(what, () => resolve(answer))
        },
      })
    })
  }

  #authorise(key: string, { orderId, amount, method, instrument, flow }: AuthoriseRequest): ProviderAnswer {
    const { clock } = this.scheduler
    const { seed, upiWindow_seconds, lostWebhookDelay_ms } = this.settings
    const outcome = outcomeOf(method, instrument)
    if (outcome === 'timeout') return { known: 'unknown', detail: 'no answer' }
    const known = this.payments.get(key)
    if (known) return this.#answer(known)
    const luck = chance(seed, key, 'delay')
    const due_ms = delayOf_ms(outcome, luck, upiWindow_seconds)
    // Who is asked answers as soon as a slow one pays.
    const says = outcome === 'asked' ? ASKED_SAY[Math.floor(chance(seed, key, 'answer') * ASKED_SAY.length)] : undefined
    const later_ms = says === undefined ? due_ms : delayOf_ms('slow', luck, upiWindow_seconds)
    const none = 0n as Paise
    const blank: Payment = {
      paymentId: this.ids.next(),
      idempotencyKey: key,
      orderId,
      method,
      ...(flow ? { flow } : {}),
      amount,
      status: 'pending',
      captured: none,
      refunded: none,
    }
    const change = opened(blank, outcome, { now: clock.now(), dueAt: clock.now() + due_ms })
    this.#book(change, outcome === 'lost' ? lostWebhookDelay_ms : 0)
    if (later_ms > 0) this.#settleLater(key, later_ms, says)
    return outcome === 'lost' ? { known: 'unknown', detail: 'no answer' } : this.#answer(change.payment)
  }

  /** `pays`: what a payer who was asked says; without it the payment's time has come. */
  #settleLater(key: string, later_ms: number, pays: boolean | undefined): void {
    this.outstanding++
    void this.scheduler.clock.sleep(later_ms).then(() =>
      this.scheduler.park({
        process: 'provider',
        what: 'customer answers',
        faults: [],
        alive: () => true,
        run: () => {
          this.outstanding--
          const payment = this.payments.get(key)
          if (payment?.status !== 'pending') return
          const now = this.scheduler.clock.now()
          const change = pays === undefined ? due(payment, now) : decided(payment, pays, now)
          if (change) this.#book(change, 0)
        },
      }),
    )
  }

  #operate(operation: Operation, key: string, paymentId: string, amount?: Paise): ProviderAnswer {
    const payment = [...this.payments.values()].find((each) => each.paymentId === paymentId)
    if (!payment) return { known: 'absent' }
    const done = this.#operations.get(`${paymentId} ${key}`)
    if (done) return this.#answer(done)
    const change = operate(payment, operation, amount)
    if (isRefusal(change)) return { known: 'refused', slug: change.slug, detail: change.detail }
    this.#operations.set(`${paymentId} ${key}`, change.payment)
    this.#book(change, 0)
    return this.#answer(change.payment)
  }

  #book({ payment, event }: Change, delay_ms: number): void {
    this.payments.set(payment.idempotencyKey, payment)
    if (!event) return
    const { scheduler } = this
    const body = JSON.stringify({
      eventId: this.ids.next(),
      type: event.type,
      paymentId: payment.paymentId,
      idempotencyKey: payment.idempotencyKey,
      amount: event.amount.toString(),
    })
    const copies = scheduler.chance(0.2) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const heldBack_ms = scheduler.chance(0.3) ? scheduler.below(HELD_BACK_MS) : 0
      this.outstanding++
      void this.#tell(body, delay_ms + heldBack_ms).finally(() => this.outstanding--)
    }
  }

  async #tell(body: string, delay_ms: number): Promise<void> {
    let pause_ms = delay_ms
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      if (pause_ms > 0) await this.scheduler.clock.sleep(pause_ms)
      const taken = await this.send(body).then(
        () => true,
        () => false,
      )
      if (taken) return
      pause_ms = WEBHOOK_PAUSE_MS * (1 + attempt)
    }
  }

  #answer(payment: Payment | undefined): ProviderAnswer {
    if (!payment) return { known: 'absent' }
    const { paymentId, status, amount, captured, refunded, declineReason, paidAt } = payment
    const told = { ...(declineReason ? { reason: declineReason } : {}), ...(paidAt === undefined ? {} : { paidAt }) }
    return {
      known: 'answered',
      payment: { paymentId, status, amount, captured, refunded, ...told },
    }
  }
}
