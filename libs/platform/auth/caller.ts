import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'

export const ROLES = ['customer', 'merchant', 'support', 'risk', 'auditor', 'admin', 'service'] as const
export type Role = (typeof ROLES)[number]

/** Whom the contract calls *staff*. */
export const STAFF: readonly Role[] = ['support', 'risk', 'auditor', 'admin']

/** Who calls, as the token says. */
export interface CallerIdentity {
  readonly sub: string
  readonly roles: readonly Role[]
  readonly isStaff: boolean
}

export const callerIdentity = (sub: string, roles: readonly Role[]): CallerIdentity => ({
  sub,
  roles,
  isStaff: roles.some((role) => STAFF.includes(role)),
})

export const hasRole = (caller: CallerIdentity, ...roles: readonly Role[]): boolean => caller.roles.some((role) => roles.includes(role))

/** Who a request on a public route is. */
export const ANONYMOUS: CallerIdentity = { sub: 'anonymous', roles: [], isStaff: false }

const callers = new WeakMap<FastifyRequest, CallerIdentity>()

export const rememberCaller = (request: FastifyRequest, caller: CallerIdentity): void => void callers.set(request, caller)
export const callerOf = (request: FastifyRequest): CallerIdentity => callers.get(request) ?? ANONYMOUS

/** `@Caller() caller: CallerIdentity` */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext) =>
  callerOf(context.switchToHttp().getRequest<FastifyRequest>()),
)
