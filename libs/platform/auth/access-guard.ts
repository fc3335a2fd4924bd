import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common'
import { ModuleRef } from '@nestjs/core'
import type { FastifyRequest } from 'fastify'
import { pathForm } from '../dto/formats.js'
import { forbidden } from '../errors/problem-filter.js'
import { invalidInput, notFound, unknownField } from '../errors/problem.js'
import { CLIENT_IDS, OWNED_BY, type Ownership, type RouteAccess } from './access.js'
import { callerOf, hasRole } from './caller.js'

/** 403, then 404: roles, ids, ownership, in this order and before fields are looked at. Then 400 for a query string that nothing reads. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly modules: ModuleRef) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    const { access } = request.routeOptions.config as { access?: RouteAccess }
    const caller = callerOf(request)
    if (access && !access.public && !hasRole(caller, ...access.roles)) throw forbidden()
    const params = (request.params ?? {}) as Readonly<Record<string, string>>
    const free = (metadataOf(CLIENT_IDS, context) ?? []) as readonly string[]
    for (const [name, value] of Object.entries(params)) if (!pathForm(name, free).test(value)) throw notFound()
    const owned = metadataOf(OWNED_BY, context) as Ownership | undefined
    if (owned) {
      const resolver = this.modules.get(owned.resolver, { strict: false })
      if (!(await resolver.owns(params[owned.param] ?? '', caller, params))) throw notFound()
    }
    // Probes, scrapers and providers' webhooks, which nobody counts, may say what they like.
    if (access?.rateLimited && !access.takesQuery) refuseQuery(request.query)
    return true
  }
}

const MAX_ERRORS = 50

const refuseQuery = (query: unknown): void => {
  const names = typeof query === 'object' && query !== null ? Object.keys(query) : []
  if (names.length > 0) throw invalidInput(names.slice(0, MAX_ERRORS).map((name) => unknownField('', name)))
}

const metadataOf = (key: string, context: ExecutionContext): unknown =>
  Reflect.getMetadata(key, context.getHandler()) ?? Reflect.getMetadata(key, context.getClass())
