import { boundedText, type Clock, type JsonObject } from '#kernel'
import { currentTrace, type Tracing } from '#tracing'
import { Agent, fetch as undiciFetch } from 'undici'
import type { Bulkhead } from './bulkhead.js'
import { CircuitBreaker } from './circuit-breaker.js'

/** The steps of a payment, and its report, each with its own time for an answer. */
export type ProviderStep = 'authorise' | 'find' | 'change' | 'report'

export type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Record<string, string>
    readonly body?: string
    readonly redirect: 'error'
    readonly signal: AbortSignal
  },
) => Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> | null }>

export interface ProviderHttpOptions {
  /** Without a slash at the end. */
  readonly url: string
  /** What the provider knows us by. */
  readonly headers: Readonly<Record<string, string>>
  readonly clock: Pick<Clock, 'now'>
  /** How long an answer may take. */
  readonly timeout_ms: Readonly<Record<ProviderStep, number>>
  readonly bulkhead: Bulkhead
  readonly breaker?: CircuitBreaker
  readonly tracing?: Tracing | undefined
  readonly fetch?: Fetch
}

/** What was answered, or why nothing was. `sent: false`: it never left this process. */
export type HttpAnswer =
  | { readonly answered: true; readonly status: number; readonly body: unknown }
  | { readonly answered: false; readonly sent: boolean; readonly detail: string }

/** An answer larger than this is none of a provider's, unless the call says otherwise. */
const MAX_ANSWER_BYTES = 64 * 1024

/** What a call takes along, and what its answer may be. */
export interface CallOptions {
  readonly body?: JsonObject
  readonly headers?: Readonly<Record<string, string>>
  readonly maxAnswerBytes?: number
}
const CONNECT_TIMEOUT_MS = 2_000
const KEEP_ALIVE_MS = 30_000

/**
 * A provider's HTTP: a place in its bulkhead, its circuit breaker, a time for each step, kept connections of its own, no more of an answer than
 * its bound, and a span. It never rejects.
 */
export class ProviderHttp {
  readonly breaker: CircuitBreaker
  readonly bulkhead: Bulkhead
  readonly #fetch: Fetch
  readonly #agent: Agent | undefined

  constructor(private readonly options: ProviderHttpOptions) {
    this.breaker = options.breaker ?? new CircuitBreaker(options.clock)
    this.bulkhead = options.bulkhead
    if (options.fetch) {
      this.#fetch = options.fetch
      return
    }
    const dispatcher = new Agent({
      connections: options.bulkhead.places,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    })
    this.#agent = dispatcher
    this.#fetch = (url, init) => undiciFetch(url, { ...init, dispatcher })
  }

  async call(
    step: ProviderStep,
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    options: CallOptions = {},
  ): Promise<HttpAnswer> {
    const leave = await this.bulkhead.enter(signal)
    // Of a call that was not sent nothing is learned of the provider.
    if (!leave) return { answered: false, sent: false, detail: signal.aborted ? 'not sent: its time is over' : 'not sent: too many calls' }
    try {
      return await this.#send(step, method, path, signal, options)
    } finally {
      leave()
    }
  }

  /** Ends its connections. */
  async close(): Promise<void> {
    await this.#agent?.destroy()
  }

  async #send(
    step: ProviderStep,
    method: string,
    path: string,
    signal: AbortSignal,
    { body, headers, maxAnswerBytes = MAX_ANSWER_BYTES }: CallOptions,
  ): Promise<HttpAnswer> {
    const ended = this.breaker.admit()
    if (!ended) return { answered: false, sent: false, detail: 'not sent: the provider is down' }
    const { url, tracing, timeout_ms } = this.options
    const parent = currentTrace()
    const span = tracing?.start(`${method} provider`, {
      kind: 'client',
      parent: parent?.traceparent,
      attributes: { 'http.request.method': method, 'server.address': new URL(url).host },
    })
    const traceparent = (span?.trace ?? parent)?.traceparent
    try {
      const response = await this.#fetch(`${url}${path}`, {
        method,
        headers: {
          ...this.options.headers,
          ...headers,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...(traceparent === undefined ? {} : { traceparent }),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout_ms[step])]),
      })
      span?.set({ 'http.response.status_code': response.status })
      const text = await boundedText(response.body, maxAnswerBytes)
      const answer: unknown = text === '' ? undefined : JSON.parse(text)
      span?.end()
      ended(response.status >= 500 || response.status === 429 ? 'failed' : 'succeeded')
      return { answered: true, status: response.status, body: answer }
    } catch (error) {
      span?.end(error)
      ended('failed')
      // The error's name only: a message may quote what was sent.
      return { answered: false, sent: true, detail: nameOf(error) }
    }
  }
}

/** An abort's reason may be no `Error` of this realm. */
const nameOf = (error: unknown): string => {
  const name: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'name') : undefined
  return typeof name === 'string' ? name : 'no answer'
}
