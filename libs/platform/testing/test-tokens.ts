import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT, type JWTVerifyGetKey } from 'jose'
import type { Role } from '../auth/caller.js'
import type { BaseConfig } from '../config.js'

export interface TestTokens {
  /** For `createApp(..., { keys })`. */
  readonly keys: JWTVerifyGetKey
  /** What an app's config says of its issuer. */
  readonly config: Pick<BaseConfig, 'JWKS_URL' | 'JWT_ISSUER' | 'JWT_AUDIENCE'>
  token(sub: string, roles?: readonly Role[], claims?: Readonly<Record<string, unknown>>): Promise<string>
  /** `{ authorization: 'Bearer …' }` */
  as(sub: string, ...roles: readonly Role[]): Promise<{ authorization: string }>
}

/** An issuer without network: its keys live as long as the test. */
export const testTokens = async (): Promise<TestTokens> => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const kid = 'test'
  const issuer = 'https://issuer.test'
  const audience = 'bahi'
  const token: TestTokens['token'] = (sub, roles = ['customer'], claims = {}) => {
    const now_s = Math.floor(Date.now() / 1_000)
    return new SignJWT({ sub, roles, iss: issuer, aud: audience, iat: now_s, exp: now_s + 3_600, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(privateKey)
  }
  return {
    keys: createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }] }),
    config: { JWKS_URL: 'http://127.0.0.1:1/jwks', JWT_ISSUER: issuer, JWT_AUDIENCE: audience },
    token,
    as: async (sub, ...roles) => ({ authorization: `Bearer ${await token(sub, roles.length > 0 ? roles : ['customer'])}` }),
  }
}
