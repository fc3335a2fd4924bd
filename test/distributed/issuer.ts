import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Issuer {
  /** What an app that believes it is started with. */
  readonly environment: Readonly<Record<'JWKS_URL' | 'JWT_ISSUER' | 'JWT_AUDIENCE', string>>
  tokenOf(sub: string, ...roles: readonly string[]): Promise<string>
  close(): void
}

/** An issuer of tokens for an app that runs alone, in the test's own process: it is there whatever becomes of the app. */
export const startIssuer = async (): Promise<Issuer> => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'test', alg: 'ES256', use: 'sig' }] }
  const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(keys)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const claims = { iss: 'https://issuer.test', aud: 'bahi' }
  return {
    environment: {
      JWKS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      JWT_ISSUER: claims.iss,
      JWT_AUDIENCE: claims.aud,
    },
    tokenOf: (sub, ...roles) =>
      new SignJWT({ sub, roles, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'test' })
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey),
    close: () => void server.close(),
  }
}
