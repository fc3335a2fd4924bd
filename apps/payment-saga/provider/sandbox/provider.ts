import { paise, type JsonObject } from '#kernel'
import type { AuthoriseRequest, PaymentProvider, ProviderAnswer, ProviderPayment } from '#payment'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import type { HttpAnswer, ProviderHttp } from '../http.js'

const Paise = Type.String({ pattern: '^[0-9]{1,18}$' })
/** RFC 3339, in UTC. */
export const Instant = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$' })
const Books = Compile(
  Type.Object({
    paymentId: Type.String({ minLength: 1, maxLength: 128 }),
    status: Type.Union(['pending', 'authorised', 'captured', 'declined', 'voided'].map((status) => Type.Literal(status))),
    amount: Paise,
    captured: Paise,
    refunded: Paise,
    paidAt: Type.Optional(Instant),
    reason: Type.Optional(Type.String({ maxLength: 200 })),
    next: Type.Optional(
      Type.Object({ kind: Type.Union([Type.Literal('redirect'), Type.Literal('intent')]), url: Type.String({ maxLength: 2_000 }) }),
    ),
  }),
)
const ProblemBody = Compile(
  Type.Object({ type: Type.String({ maxLength: 200 }), status: Type.Integer(), detail: Type.Optional(Type.String({ maxLength: 500 })) }),
)
/** The slug by which the provider says that its books hold no such payment. */
const UNKNOWN_PAYMENT = 'unknown-payment'

/** The provider sandbox. */
export class SandboxProvider implements PaymentProvider {
  constructor(private readonly http: Pick<ProviderHttp, 'call'>) {}

  async authorise(key: string, { amount, plan, ...request }: AuthoriseRequest, signal: AbortSignal): Promise<ProviderAnswer> {
    const body = { idempotencyKey: key, amount: amount.toString(), ...request, ...(plan ? { plan: plan.plan } : {}) }
    return readAnswer(await this.http.call('authorise', 'POST', '/v1/payments', signal, { body }))
  }

  async find(key: string, signal: AbortSignal): Promise<ProviderAnswer> {
    return readAnswer(await this.http.call('find', 'GET', `/v1/payments?idempotencyKey=${encodeURIComponent(key)}`, signal))
  }

  capture(key: string, paymentId: string, amount: bigint, signal: AbortSignal): Promise<ProviderAnswer> {
    return this.#change(paymentId, 'capture', { idempotencyKey: key, amount: amount.toString() }, signal)
  }

  void(key: string, paymentId: string, signal: AbortSignal): Promise<ProviderAnswer> {
    return this.#change(paymentId, 'void', { idempotencyKey: key }, signal)
  }

  refund(key: string, paymentId: string, amount: bigint, signal: AbortSignal): Promise<ProviderAnswer> {
    return this.#change(paymentId, 'refunds', { idempotencyKey: key, amount: amount.toString() }, signal)
  }

  async #change(paymentId: string, what: string, body: JsonObject, signal: AbortSignal): Promise<ProviderAnswer> {
    return readAnswer(await this.http.call('change', 'POST', `/v1/payments/${encodeURIComponent(paymentId)}/${what}`, signal, { body }))
  }
}

/** Only what says plainly that nothing happened is a refusal. */
const readAnswer = (answer: HttpAnswer): ProviderAnswer => {
  if (!answer.answered) return { known: 'unknown', detail: answer.detail }
  const { status, body } = answer
  if (status === 200 || status === 201)
    return Books.Check(body) ? { known: 'answered', payment: readBooks(body) } : { known: 'unknown', detail: 'an answer off contract' }
  // A proxy on the way answers in these statuses too, of nothing that the provider knows: only the provider's own words count.
  const problem = ProblemBody.Check(body) && body.status === status ? body : undefined
  const slug = /^\/problems\/([a-z0-9-]+)$/.exec(problem?.type ?? '')?.[1]
  if (status === 404 && slug === UNKNOWN_PAYMENT) return { known: 'absent' }
  if ((status === 400 || status === 409 || status === 422) && slug !== undefined)
    return { known: 'refused', slug, detail: problem?.detail ?? '' }
  return { known: 'unknown', detail: `status ${status}` }
}

type WireBooks = Omit<ProviderPayment, 'amount' | 'captured' | 'refunded' | 'status' | 'paidAt'> & {
  readonly paidAt?: string
  readonly status: string
  readonly amount: string
  readonly captured: string
  readonly refunded: string
}

const STATUSES = ['pending', 'authorised', 'captured', 'declined', 'voided'] as const

const readBooks = ({ status, amount, captured, refunded, ...rest }: WireBooks): ProviderPayment => {
  const known = STATUSES.find((each) => each === status)
  if (!known) throw new Error('an answer off contract')
  const { paymentId, reason, next, paidAt } = rest
  const optional = {
    ...(reason === undefined ? {} : { reason }),
    ...(next === undefined ? {} : { next }),
    ...(paidAt === undefined || Number.isNaN(Date.parse(paidAt)) ? {} : { paidAt: Date.parse(paidAt) }),
  }
  return { paymentId, status: known, amount: paise(amount), captured: paise(captured), refunded: paise(refunded), ...optional }
}
