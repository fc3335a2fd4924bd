import type { INestApplication } from '@nestjs/common'
import { METHOD_METADATA } from '@nestjs/common/constants.js'
import { MetadataScanner, ModulesContainer } from '@nestjs/core'
import { RouteConfig } from '@nestjs/platform-fastify'
import { PUBLIC, RAW_BODY, REQUIRED_ROLES, type RouteAccess } from './access.js'
import type { Role } from './caller.js'

/**
 * Works out who may call each route, before routes are registered, and leaves it in the route's Fastify config, where the request hook finds
 * it. Throws, naming the handler, where a route says neither `@Public()` nor `@Roles()`: forgetting must not mean open.
 */
export const describeAccess = (app: INestApplication): void => {
  const scanner = new MetadataScanner()
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue
      const prototype = metatype.prototype as object
      for (const name of scanner.getAllMethodNames(prototype)) {
        const method = Reflect.get(prototype, name) as object
        if (!Reflect.hasMetadata(METHOD_METADATA, method)) continue
        const access = accessOf(metatype, method, `${metatype.name}.${name}`)
        RouteConfig({ access })(prototype, name, { value: method })
      }
    }
  }
}

const accessOf = (controller: object, method: object, name: string): RouteAccess => {
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
