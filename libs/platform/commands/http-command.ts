import { EXPIRING, type Act } from '#event-store'
import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { systemIds, type MessageContext } from '#kernel'
import type { FastifyRequest } from 'fastify'
import { setImmediate as laterTurn } from 'node:timers/promises'
import { IDEMPOTENT, type RouteAccess } from '../auth/access.js'
import { callerOf, type CallerIdentity } from '../auth/caller.js'
import { Problem } from '../errors/problem.js'
import { traceOf } from '../observability/request-trace.js'
import { canonical, commandIdOf, fingerprint, keyedHash } from './fingerprint.js'

/** A changing request as the write side needs it. */
export interface CommandRequest {
  readonly caller: CallerIdentity
  readonly method: string
  /** Without query. */
  readonly path: string
  /** Method and template: `POST /v1/wallets/:id/freeze`. */
  readonly route: string
  /** Where the caller may do this by a role that customers do not have: it is kept in the audit trail, whatever comes of it. */
  readonly act?: Act
  /** Of caller, method, path and key; random where no key was sent. */
  readonly commandId: string
  readonly idempotencyKey?: string
  /**
   * Of the body as parsed JSON; no body is as an empty object, as it is to the fields. Keyed by the idempotency key, which is kept nowhere: who reads
   * the store cannot find by trying what a body said that is sealed everywhere else. A word where no key was sent, and nothing can be a repeat.
   */
  readonly fingerprint: string
  /** As it was made before it was keyed: by it an answer is known that a release before this one kept. */
  unkeyedFingerprint(): string
  /** The version that the caller believes in, or `*`: any that exists. */
  readonly ifMatch?: number | '*'
  /** `causationId` is the command's id; `correlationId` is the same until the app knows the business transaction's. */
  readonly context: MessageContext
  readonly traceId: string
}

export const httpCommandOf = (_: unknown, context: ExecutionContext): CommandRequest | Promise<never> => {
  const request = context.switchToHttp().getRequest<FastifyRequest>()
  const need: unknown = Reflect.getMetadata(IDEMPOTENT, context.getHandler())
  try {
    return commandRequest(request, need === 'required')
  } catch (problem) {
    return laterTurn().then(() => Promise.reject(problem as Error))
  }
}

/**
 * `@HttpCommand() request: CommandRequest`. Answers 400 for a missing or malformed `Idempotency-Key` or `If-Match`, after the fields:
 * parameters are resolved side by side and the first to fail is what the client sees, so this one fails a turn later.
 */
export const HttpCommand = createParamDecorator(httpCommandOf)

export const commandRequest = (request: FastifyRequest, keyRequired: boolean): CommandRequest => {
  const caller = callerOf(request)
  const path = request.url.split('?', 1)[0] ?? ''
  const key = idempotencyKey(request.headers['idempotency-key'], keyRequired)
  const ifMatch = expectedVersion(request.headers['if-match'])
  const commandId = key === undefined ? `${EXPIRING}${systemIds.next()}` : commandIdOf(caller.sub, request.method, path, key)
  const { traceId, traceparent } = traceOf(request)
  const route = `${request.method} ${request.routeOptions.url ?? path}`
  const act = actOf(request, caller, path, route)
  return {
    caller,
    method: request.method,
    path,
    route,
    ...(act && { act }),
    commandId,
    ...(key !== undefined && { idempotencyKey: key }),
    fingerprint: key === undefined ? 'no-key' : keyedHash(key, canonical(request.body ?? {})),
    unkeyedFingerprint: () => fingerprint(request.body ?? {}),
    ...(ifMatch !== undefined && { ifMatch }),
    context: { correlationId: commandId, causationId: commandId, traceparent },
    traceId,
  }
}

const actOf = ({ routeOptions }: FastifyRequest, caller: CallerIdentity, path: string, action: string): Act | undefined => {
  const { access } = routeOptions.config as { readonly access?: RouteAccess }
  const roles = caller.roles.filter((role) => role !== 'customer' && access?.roles.includes(role))
  return roles.length === 0 ? undefined : { action, path, roles }
}

type Header = string | readonly string[] | undefined

const idempotencyKey = (header: Header, required: boolean): string | undefined => {
  if (header === undefined) {
    if (!required) return undefined
    throw new Problem(400, 'idempotency-key-missing', 'This call needs an Idempotency-Key header.')
  }
  if (typeof header === 'string' && /^[\x21-\x7e]{1,255}$/.test(header)) return header
  throw new Problem(400, 'idempotency-key-invalid', 'An Idempotency-Key is 1 to 255 visible ASCII characters.')
}

const expectedVersion = (header: Header): number | '*' | undefined => {
  if (header === undefined) return undefined
  if (header === '*') return '*'
  const version = typeof header === 'string' ? /^"(0|[1-9][0-9]{0,14})"$/.exec(header)?.[1] : undefined
  if (version === undefined) throw new Problem(400, 'if-match-invalid', 'If-Match is one ETag of this resource, such as "7".')
  return Number(version)
}
