import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose'
import type { Clock } from '#kernel'
import type { Role } from '../auth/caller.js'
import type { IssuerKey, IssuerKeyStore } from './keys.js'

const LIFETIME_S = 3_600

export interface DevIssuerOptions {
  readonly issuer: string
  readonly audience: string
  readonly keys: IssuerKeyStore
  readonly clock: Clock
}

export interface IssuedToken {
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
}

/** Gives a token to whoever asks: for laptops and tests. */
export class DevIssuer {
  #key: Promise<IssuerKey> | undefined

  constructor(private readonly options: DevIssuerOptions) {}

  async issue(sub: string, roles: readonly Role[]): Promise<IssuedToken> {
    const { kid, privateJwk } = await this.#loaded()
    const { issuer, audience, clock } = this.options
    const now_s = Math.floor(clock.now() / 1_000)
    const accessToken = await new SignJWT({ sub, roles: [...roles], iss: issuer, aud: audience, iat: now_s, exp: now_s + LIFETIME_S })
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(await importJWK(privateJwk, 'ES256'))
    return { accessToken, expiresIn: LIFETIME_S }
  }

  async jwks(): Promise<{ readonly keys: readonly JWK[] }> {
    const { kid, publicJwk } = await this.#loaded()
    return { keys: [{ ...publicJwk, kid, alg: 'ES256', use: 'sig' }] }
  }

  #loaded(): Promise<IssuerKey> {
    this.#key ??= this.options.keys.loadOrCreate(newKey).catch((error: unknown) => {
      this.#key = undefined
      throw error
    })
    return this.#key
  }
}

const newKey = async (): Promise<IssuerKey> => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  return { kid: await calculateJwkThumbprint(publicJwk), publicJwk, privateJwk: await exportJWK(privateKey) }
}
