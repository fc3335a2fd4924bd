import { applyDecorators, SetMetadata, type Type } from '@nestjs/common'
import type { CallerIdentity, Role } from './caller.js'

/** What the request hook must know of a route before its body is read. */
export interface RouteAccess {
  readonly public: boolean
  /** Any of them will do. */
  readonly roles: readonly Role[]
  readonly rateLimited: boolean
  /** Keeps the bytes of the body for `@RawBody()`. */
  readonly rawBody: boolean
  /** Its query string has a DTO. Of any other route a query parameter is an unknown field. */
  readonly takesQuery: boolean
}

export const PUBLIC = 'platform:public'
export const REQUIRED_ROLES = 'platform:roles'
export const RAW_BODY = 'platform:raw-body'
export const CLIENT_IDS = 'platform:client-ids'
export const OWNED_BY = 'platform:owned-by'
export const IDEMPOTENT = 'platform:idempotent'

/** Anyone, without a token. Limited per remote address unless `rateLimited` is false (probes). */
export const Public = (options: { readonly rateLimited?: boolean } = {}) =>
  SetMetadata(PUBLIC, { rateLimited: options.rateLimited ?? true })

/** Who may call: a caller with any of these roles. A route needs this or `@Public()`, or the app does not start. */
export const Roles = (...roles: readonly Role[]) => SetMetadata(REQUIRED_ROLES, roles)

/** Keeps the request's bytes, for signatures: read them with `@RawBody()`. */
export const KeepRawBody = () => SetMetadata(RAW_BODY, true)

/**
 * Path parameters `id` and `…Id` are UUIDs, and what is not one is 404. These are not: the client chose them, and any 1-128 visible
 * characters will do. (`sku` and others that do not end in `Id` are so anyway.)
 */
export const ClientIds = (...names: readonly string[]) => SetMetadata(CLIENT_IDS, names)

/**
 * Says whether the caller may see the resource. False, also when there is none, becomes 404, so that nobody learns whose it is.
 * Found in the module of the controller, by its class. `params` are all of the path's, for a resource that lies within another.
 */
export interface OwnershipResolver {
  owns(id: string, caller: CallerIdentity, params: Readonly<Record<string, string>>): Promise<boolean>
}

export interface Ownership {
  readonly resolver: Type<OwnershipResolver>
  readonly param: string
}

/** The path parameter (`id` unless named) must be the caller's, before the body is looked at. */
export const OwnedBy = (resolver: Type<OwnershipResolver>, param = 'id') => SetMetadata(OWNED_BY, { resolver, param } satisfies Ownership)

/** Whether `Idempotency-Key` must be there (else 400). Without this decorator it is optional. */
export const Idempotent = (need: 'required' | 'optional') => applyDecorators(SetMetadata(IDEMPOTENT, need))
