import type { Clock } from '#kernel'
import { paise, type JsonObject } from '#kernel'
import type { AuthoriseRequest, PaymentProvider, ProviderAnswer, ProviderPayment } from '#payment'
import { currentTrace, type Tracing } from '#tracing'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { CircuitBreaker } from './circuit-breaker.js'

export interface SandboxProviderOptions {
  /** Without a slash at the end. */
  readonly url: string
  readonly apiKey: string
  readonly clock: Pick<Clock, 'now'>
  /** How long an answer may take, by call. */
  readonly timeout_ms: { readonly authorise: number; readonly find: number; readonly change: number }
  readonly breaker?: CircuitBreaker
  readonly tracing?: Tracing | undefined
  readonly fetch?: typeof fetch
}

const Paise = Type.String({ pattern: '^[0-9]{1,18}$' })
const Books = Compile(
  Type.Object({
    paymentId: Type.String({ minLength: 1, maxLength: 128 }),
    status: Type.Union(['pending', 'authorised', 'captured', 'declined', 'voided'].map((status) => Type.Literal(status))),
    amount: Paise,
    captured: Paise,
    refunded: Paise,
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

/** An answer larger than this is none of the provider's. */
const MAX_ANSWER_BYTES = 64 * 1024

/** The provider sandbox over HTTP. How many calls run at once is the worker's to bound. Connections are kept alive by fetch's own agent. */
export class SandboxProvider implements PaymentProvider {
  readonly breaker: CircuitBreaker
  readonly #fetch: typeof fetch

  constructor(private readonly options: SandboxProviderOptions) {
    this.breaker = options.breaker ?? new CircuitBreaker(options.clock)
    this.#fetch = options.fetch ?? fetch
  }

  authorise(key: string, { amount, ...request }: AuthoriseRequest, signal: AbortSignal): Promise<ProviderAnswer> {
    const body = { idempotencyKey: key, amount: amount.toString(), ...request }
    return this.#call('POST', '/v1/payments', this.options.timeout_ms.authorise, signal, body)
  }

  find(key: string, signal: AbortSignal): Promise<ProviderAnswer> {
    return this.#call('GET', `/v1/payments?idempotencyKey=${encodeURIComponent(key)}`, this.options.timeout_ms.find, signal)
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

  #change(paymentId: string, what: string, body: JsonObject, signal: AbortSignal): Promise<ProviderAnswer> {
    return this.#call('POST', `/v1/payments/${encodeURIComponent(paymentId)}/${what}`, this.options.timeout_ms.change, signal, body)
  }

  async #call(method: string, path: string, timeout_ms: number, signal: AbortSignal, body?: JsonObject): Promise<ProviderAnswer> {
    // Of a call that was not sent nothing is learned of the provider.
    if (signal.aborted) return { known: 'unknown', detail: 'not sent: its time is over' }
    const ended = this.breaker.admit()
    if (!ended) return { known: 'unknown', detail: 'not sent: the provider is down' }
    const parent = currentTrace()
    const span = this.options.tracing?.start(`${method} provider`, {
      kind: 'client',
      parent: parent?.traceparent,
      attributes: { 'http.request.method': method, 'server.address': new URL(this.options.url).host },
    })
    const traceparent = (span?.trace ?? parent)?.traceparent
    try {
      const response = await this.#fetch(`${this.options.url}${path}`, {
        method,
        headers: {
          'x-api-key': this.options.apiKey,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...(traceparent === undefined ? {} : { traceparent }),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]),
      })
      span?.set({ 'http.response.status_code': response.status })
      const answer = readAnswer(response.status, await boundedJson(response))
      span?.end()
      ended(response.status >= 500 || response.status === 429 ? 'failed' : 'succeeded')
      return answer
    } catch (error) {
      span?.end(error)
      ended('failed')
      // The error's name only: a message may quote what was sent.
      return { known: 'unknown', detail: error instanceof Error ? error.name : 'no answer' }
    }
  }
}

/** Reads no further than the bound, whatever is sent. */
const boundedJson = async (response: Response): Promise<unknown> => {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop by a throw cancels the stream, and with it the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_ANSWER_BYTES) throw new RangeError('the answer is too large')
    chunks.push(chunk)
  }
  return bytes === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

/** Only what says plainly that nothing happened is a refusal. */
const readAnswer = (status: number, body: unknown): ProviderAnswer => {
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

type WireBooks = Omit<ProviderPayment, 'amount' | 'captured' | 'refunded' | 'status'> & {
  readonly status: string
  readonly amount: string
  readonly captured: string
  readonly refunded: string
}

const STATUSES = ['pending', 'authorised', 'captured', 'declined', 'voided'] as const

const readBooks = ({ status, amount, captured, refunded, ...rest }: WireBooks): ProviderPayment => {
  const known = STATUSES.find((each) => each === status)
  if (!known) throw new Error('an answer off contract')
  const { paymentId, reason, next } = rest
  const optional = { ...(reason === undefined ? {} : { reason }), ...(next === undefined ? {} : { next }) }
  return { paymentId, status: known, amount: paise(amount), captured: paise(captured), refunded: paise(refunded), ...optional }
}
