import type { Json, Refusal } from '#kernel'
import { STATUS_CODES } from 'node:http'

/** One wrong field; `pointer` is an RFC 6901 path into the body (or names the query parameter or header). */
export interface FieldError {
  readonly pointer: string
  readonly detail: string
}

export interface ProblemOptions {
  readonly errors?: readonly FieldError[]
  /** Written on the reply, `Retry-After` for one. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** RFC 9457. Thrown by whoever finds it, written by the platform's filter. `detail` reaches the client: no personal data, no internals. */
export class Problem extends Error {
  readonly errors: readonly FieldError[] | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    readonly status: number,
    /** Kebab-case: the last part of `type`. */
    readonly slug: string,
    readonly detail: string,
    options: ProblemOptions = {},
  ) {
    super(`${status} ${slug}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.errors = options.errors
    this.headers = options.headers ?? {}
  }
}

export const PROBLEM_JSON = 'application/problem+json'

/** What the client reads. */
export interface ProblemBody {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly traceId: string
  readonly errors?: readonly FieldError[]
}

export const problemBody = (problem: Problem, instance: string, traceId: string): ProblemBody & { readonly [name: string]: Json } => ({
  type: `/problems/${problem.slug}`,
  title: titleOf(problem.status, problem.slug),
  status: problem.status,
  detail: problem.detail,
  instance,
  traceId,
  ...(problem.errors && { errors: problem.errors.map(({ pointer, detail }) => ({ pointer, detail })) }),
})

/** As bytes, because to a string Fastify would add a charset, which `application/problem+json` does not have. */
export const problemBytes = (problem: Problem, instance: string, traceId: string): Buffer =>
  Buffer.from(JSON.stringify(problemBody(problem, instance, traceId)))

/** `insufficient-funds` reads "Insufficient funds"; RFC 9457 wants the title to depend on the type alone. */
const titleOf = (status: number, slug: string): string => {
  const words = slug.replaceAll('-', ' ')
  return words === '' ? (STATUS_CODES[status] ?? 'Error') : words.charAt(0).toUpperCase() + words.slice(1)
}

export const notFound = (what = 'resource'): Problem => new Problem(404, 'not-found', `There is no such ${what}.`)

export const invalidInput = (errors: readonly FieldError[]): Problem =>
  new Problem(400, 'invalid-input', errors.length === 1 ? 'One field is invalid.' : `${errors.length} fields are invalid.`, { errors })

/** RFC 6901, one step further. */
export const pointerTo = (parent: string, name: string): string => `${parent}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

/** Of a name that the caller made up no more is repeated than tells which it is: not what steers a terminal, and not all of a long one. */
const LONGEST_NAME = 64
const shown = (name: string): string => {
  const plain = name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD')
  return plain.length > LONGEST_NAME ? `${plain.slice(0, LONGEST_NAME).toWellFormed()}…` : plain
}

export const unknownField = (parent: string, name: string): FieldError => ({
  pointer: pointerTo(parent, shown(name)),
  detail: 'is not a field of this call',
})

export const unavailable = (cause?: unknown): Problem =>
  new Problem(503, 'unavailable', 'The service cannot do this just now; try again.', { headers: { 'retry-after': '1' }, cause })

/** A refusal as the status that it has on the wire: a state in the way is 409, a rule 422. */
export const problemOfRefusal = (refusal: Refusal): Problem =>
  new Problem(refusal.kind === 'conflict' ? 409 : 422, refusal.slug, refusal.detail)
