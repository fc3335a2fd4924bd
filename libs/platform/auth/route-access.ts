import type { INestApplication } from '@nestjs/common'
import { METHOD_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js'
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js'
import { MetadataScanner, ModulesContainer } from '@nestjs/core'
import { RouteConfig } from '@nestjs/platform-fastify'
import { consistencyTokenOf } from '../commands/consistency-token.js'
import { httpCommandOf } from '../commands/http-command.js'
import { CLIENT_IDS, IDEMPOTENT, PUBLIC, RAW_BODY, REQUIRED_ROLES, type RouteAccess } from './access.js'
import type { Role } from './caller.js'

/** What a handler's decorators say, for the request hook and for OpenAPI. */
export interface RouteFacts {
  readonly access: RouteAccess
  /** It takes `@HttpCommand()`. */
  readonly command: boolean
  readonly keyRequired: boolean
  /** It takes `@ConsistencyTokenHeader()`. */
  readonly readsToken: boolean
  readonly clientIds: readonly string[]
}

/**
 * Works out who may call each route, before routes are registered, and leaves it in the route's Fastify config, where the request hook finds
 * it. Throws, naming the handler, where a route says neither `@Public()` nor `@Roles()`: forgetting must not mean open.
 * Answers the facts by `<Controller>_<method>`.
 */
export const describeAccess = (app: INestApplication): ReadonlyMap<string, RouteFacts> => {
  const scanner = new MetadataScanner()
  const routes = new Map<string, RouteFacts>()
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue
      const prototype = metatype.prototype as object
      for (const name of scanner.getAllMethodNames(prototype)) {
        const method = Reflect.get(prototype, name) as object
        if (!Reflect.hasMetadata(METHOD_METADATA, method)) continue
        const access = { ...accessOf(metatype, method, `${metatype.name}.${name}`), takesQuery: takesQuery(metatype, name) }
        RouteConfig({ access })(prototype, name, { value: method })
        routes.set(`${metatype.name}_${name}`, factsOf(metatype, name, method, access))
      }
    }
  }
  return routes
}

/** Nest keeps a route's parameters under `<kind>:<index>`. */
const takesQuery = (controller: object, name: string): boolean =>
  Object.keys(paramsOf(controller, name)).some((key) => key.startsWith(`${RouteParamtypes.QUERY}:`))

const paramsOf = (controller: object, name: string) =>
  (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name) ?? {}) as Readonly<Record<string, { factory?: unknown }>>

const factsOf = (controller: object, name: string, method: object, access: RouteAccess): RouteFacts => {
  const takes = (factory: unknown) => Object.values(paramsOf(controller, name)).some((param) => param.factory === factory)
  const clientIds = (Reflect.getMetadata(CLIENT_IDS, method) ?? Reflect.getMetadata(CLIENT_IDS, controller) ?? []) as readonly string[]
  return {
    access,
    command: takes(httpCommandOf),
    keyRequired: Reflect.getMetadata(IDEMPOTENT, method) === 'required',
    readsToken: takes(consistencyTokenOf),
    clientIds,
  }
}

const accessOf = (controller: object, method: object, name: string): Omit<RouteAccess, 'takesQuery'> => {
  for (const target of [method, controller]) {
    const open = Reflect.getMetadata(PUBLIC, target) as { rateLimited: boolean } | undefined
    const roles = Reflect.getMetadata(REQUIRED_ROLES, target) as readonly Role[] | undefined
    if (open && roles) throw new Error(`${name} is both @Public() and @Roles(): say one`)
    const rawBody = Reflect.getMetadata(RAW_BODY, method) === true
    if (open) return { public: true, roles: [], rateLimited: open.rateLimited, rawBody }
    if (roles && roles.length > 0) return { public: false, roles, rateLimited: true, rawBody }
  }
  throw new Error(`${name} has neither @Public() nor @Roles(...): every route says who may call it`)
}
