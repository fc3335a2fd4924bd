import type { Clock } from '#kernel'
import { createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose'
import { LRUCache } from 'lru-cache'
import { hash } from 'node:crypto'
import { unauthorized } from '../errors/problem-filter.js'
import { unavailable } from '../errors/problem.js'
import { callerIdentity, ROLES, type CallerIdentity, type Role } from './caller.js'

/** What an issuer may sign with: pinned, so that a token cannot choose `none` or a shared secret (RFC 8725, 3.1). */
const ALGORITHMS = ['ES256', 'RS256']
const CLOCK_TOLERANCE_S = 5
/** A token longer than this is no token of ours, and its signature is not worth checking. */
const MAX_TOKEN_LENGTH = 8_192
/** For how long a checked signature is believed again without checking; a key that was withdrawn lives on for as long. */
const REMEMBER_MS = 60_000

export interface TokenOptions {
  readonly keys: JWTVerifyGetKey
  readonly issuer: string
  readonly audience: string
  readonly clock: Clock
}

export const remoteKeys = (url: string): JWTVerifyGetKey =>
  createRemoteJWKSet(new URL(url), { timeoutDuration: 2_000, cooldownDuration: 5_000, cacheMaxAge: 600_000 })

/** Who a bearer token speaks for. Throws a 401 problem, or 503 when the issuer's keys cannot be had. */
export class Tokens {
  readonly #known = new LRUCache<string, { caller: CallerIdentity; until: number }>({ max: 10_000 })

  readonly #keys: JWTVerifyGetKey

  constructor(private readonly options: TokenOptions) {
    this.#keys = orUnavailable(options.keys)
  }

  async caller(authorization: string | undefined): Promise<CallerIdentity> {
    if (authorization === undefined) throw unauthorized()
    const token = /^bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(authorization)?.[1]
    if (token === undefined || token.length > MAX_TOKEN_LENGTH) throw unauthorized('The Authorization header holds no bearer token.')
    const digest = hash('sha256', token, 'base64')
    const known = this.#known.get(digest)
    const now = this.options.clock.now()
    if (known && known.until > now) return known.caller
    const { caller, expires } = await this.#verify(token, now)
    this.#known.set(digest, { caller, until: Math.min(expires, now + REMEMBER_MS) })
    return caller
  }

  async #verify(token: string, now: number): Promise<{ caller: CallerIdentity; expires: number }> {
    const { issuer, audience } = this.options
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: ALGORITHMS,
        issuer,
        audience,
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(now),
        requiredClaims: ['sub', 'exp'],
      })
      const { sub, exp = 0 } = payload
      if (sub === undefined || !/^[\x21-\x7e]{1,128}$/.test(sub))
        throw unauthorized('The token names no subject of 1 to 128 visible ASCII characters.')
      return { caller: callerIdentity(sub, rolesOf(payload.roles)), expires: (exp + CLOCK_TOLERANCE_S) * 1_000 }
    } catch (error) {
      throw rejection(error)
    }
  }
}

/** Roles that are not ours are ignored: an issuer may serve others too. */
const rolesOf = (claim: unknown): Role[] => (Array.isArray(claim) ? ROLES.filter((role) => claim.includes(role)) : [])

/** Which errors blame the token. */
const BLAME_THE_TOKEN = [
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
] as const

const rejection = (error: unknown): unknown => {
  if (error instanceof errors.JWTExpired) return unauthorized('The token has expired.')
  return BLAME_THE_TOKEN.some((kind) => error instanceof kind) ? unauthorized('The token is not valid here.') : error
}

/** Any other failure to find a key says that the keys could not be fetched, which the caller is not to blame for. */
const orUnavailable =
  (keys: JWTVerifyGetKey): JWTVerifyGetKey =>
  async (header, token) => {
    try {
      return await keys(header, token)
    } catch (error) {
      throw BLAME_THE_TOKEN.some((kind) => error instanceof kind) ? error : unavailable(error)
    }
  }
