import { setTimeout as wait } from 'node:timers/promises'

export interface Answer<T = Record<string, unknown>> {
  readonly status: number
  readonly body: T
  readonly headers: Headers
  /** From the first try until the answer, waits for 429 and 503 included. */
  readonly took_ms: number
}

export interface Call {
  readonly token?: string
  readonly body?: unknown
  readonly key?: string
  readonly consistency?: string
}

const TRIES = 60
const CALL_TIMEOUT_MS = 10_000
/** Without a `Retry-After`, or with one that is no number of seconds. */
const UNTOLD_WAIT_MS = 250
const LONGEST_WAIT_MS = 30_000

/**
 * Until the next try, milliseconds: never less than the server said, and up to half as much again, so that those who were sent away together do
 * not come back together. Undefined when that is longer than anybody here waits.
 */
const waitAfter_ms = (retryAfter: string | null, chance: number): number | undefined => {
  const said_ms = retryAfter !== null && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : UNTOLD_WAIT_MS
  return said_ms > LONGEST_WAIT_MS ? undefined : Math.min(said_ms * (1 + chance / 2), LONGEST_WAIT_MS)
}

/** A client as a careful shop would write one: it waits when told to (429, 503) and repeats with the same idempotency key. */
export class Client {
  throttled = 0

  constructor(
    readonly baseUrl: string,
    readonly pause: (ms: number) => Promise<unknown> = wait,
    private readonly random: () => number = Math.random,
  ) {}

  async call<T = Record<string, unknown>>(method: string, path: string, { token, body, key, consistency }: Call = {}): Promise<Answer<T>> {
    const headers = new Headers()
    if (token) headers.set('authorization', `Bearer ${token}`)
    if (body !== undefined) headers.set('content-type', 'application/json')
    if (key) headers.set('idempotency-key', key)
    if (consistency) headers.set('consistency-token', consistency)
    const began = performance.now()
    for (let attempt = 1; ; attempt++) {
      const response = await this.#attempt(method, path, headers, body)
      if (response && response.status !== 429 && response.status !== 503) {
        const text = await response.text()
        return {
          status: response.status,
          body: (text ? JSON.parse(text) : {}) as T,
          headers: response.headers,
          took_ms: performance.now() - began,
        }
      }
      if (attempt === TRIES)
        throw new Error(`${method} ${path}: no answer after ${TRIES} tries (last: ${response?.status ?? 'no connection'})`)
      if (response?.status === 429) this.throttled++
      await response?.body?.cancel()
      const retryAfter = response?.headers.get('retry-after') ?? null
      const pause_ms = waitAfter_ms(retryAfter, this.random())
      if (pause_ms === undefined) throw new Error(`${method} ${path}: told to come back after ${retryAfter} s`)
      await this.pause(pause_ms)
    }
  }

  /** As `call`, but anything other than the statuses expected ends the demo. */
  async expect<T = Record<string, unknown>>(
    statuses: readonly number[],
    method: string,
    path: string,
    call: Call = {},
  ): Promise<Answer<T>> {
    const answer = await this.call<T>(method, path, call)
    if (!statuses.includes(answer.status)) throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    return answer
  }

  async token(sub: string, ...roles: readonly string[]): Promise<string> {
    const { body } = await this.expect<{ accessToken: string }>([200, 201], 'POST', '/v1/dev/token', { body: { sub, roles } })
    return body.accessToken
  }

  /** Undefined when the connection failed: a repeat with the same key is safe. */
  async #attempt(method: string, path: string, headers: Headers, body: unknown): Promise<Response | undefined> {
    try {
      return await fetch(`${this.baseUrl}${path}`, {
        method,
        headers,
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch {
      return undefined
    }
  }
}

/** Runs `work` for each item, at most `width` at a time. */
export const inParallel = async <T, R>(items: readonly T[], width: number, work: (item: T, index: number) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T, index)
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
  return results
}
