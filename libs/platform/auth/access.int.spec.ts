import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually, FakeClock } from '#kernel/testing'
import { Controller, Get, Module } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { demoApp, demoConfig, type Demo } from '../app/demo-app.fixture.js'
import { createApp, Public, Roles } from '../index.js'
import { testTokens } from '../testing/index.js'

let demo: Demo
let app: NestFastifyApplication
beforeAll(async () => {
  demo = await demoApp()
  app = demo.app
})
afterAll(() => app.close())

const get = (url: string, authorization?: string) => app.inject({ url, headers: authorization === undefined ? {} : { authorization } })

describe('who may call', () => {
  it('asks for a token', async () => {
    const answer = await get('/v1/jars')
    expect(answer.statusCode).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="bahi"')
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.json()).toMatchObject({ type: '/problems/unauthorized', title: 'Unauthorized', status: 401, instance: '/v1/jars' })
  })

  it('refuses tokens that are expired, of another issuer or audience, without subject, or no tokens at all', async () => {
    const now_s = Math.floor(Date.now() / 1_000)
    const bad = [
      await demo.token('c-1', ['customer'], { exp: now_s - 60 }),
      await demo.token('c-1', ['customer'], { exp: undefined }),
      await demo.token('c-1', ['customer'], { nbf: now_s + 60 }),
      await demo.token('c-1', ['customer'], { iss: 'https://elsewhere.test' }),
      await demo.token('c-1', ['customer'], { aud: 'another' }),
      await demo.token('c-1', ['customer'], { sub: undefined }),
      await demo.token('c 1\n'),
      await (await testTokens()).token('c-1'),
      await new SignJWT({ sub: 'c-1', roles: ['admin'], iss: demo.config.JWT_ISSUER, aud: 'bahi', exp: now_s + 60 })
        .setProtectedHeader({ alg: 'HS256', kid: 'test' })
        .sign(new Uint8Array(32)),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"c-1"}').toString('base64url')}.`,
      'rubbish',
      'a'.repeat(9_000),
    ]
    for (const token of bad) {
      const answer = await get('/v1/jars', `Bearer ${token}`)
      expect([token, answer.statusCode]).toEqual([token, 401])
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
    }
    expect((await get('/v1/jars', 'Basic YTpi')).statusCode).toBe(401)
  })

  it('takes a good one, and its roles that are ours', async () => {
    const answer = await get('/v1/odd/merchants', `Bearer ${await demo.token('m-1', ['merchant', 'pirate' as never, 'support'])}`)
    expect([answer.statusCode, answer.json()]).toEqual([200, { sub: 'm-1', roles: ['merchant', 'support'], isStaff: true }])
  })

  it('forgets a token when it expires', async () => {
    const clock = new FakeClock(Date.now())
    const timed = await demoApp({}, clock)
    const authorization = `Bearer ${await timed.token('c-1', ['customer'], { exp: Math.floor(clock.now() / 1_000) + 30 })}`
    const call = async () => (await timed.app.inject({ url: '/v1/jars', headers: { authorization } })).statusCode
    expect(await call()).toBe(200)
    expect(await call()).toBe(200)
    clock.advance(36_000)
    expect(await call()).toBe(401)
    await timed.app.close()
  })

  it('answers 503 while the issuer cannot be reached', async () => {
    const tokens = await testTokens()
    const lonely = await createApp(demoModule, { name: 'lonely', config: { ...demoConfig, ...tokens.config, LOG_LEVEL: 'silent' } })
    await lonely.init()
    const answer = await lonely.inject({ url: '/guarded', headers: await tokens.as('c-1') })
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1'])
    await lonely.close()
  })

  it('lets anyone through where a route is public, whatever token they send', async () => {
    expect((await get('/v1/odd/open')).json()).toEqual({ sub: 'anonymous' })
    expect((await get('/v1/odd/open', 'Bearer rubbish')).statusCode).toBe(200)
  })

  it('answers 403 to a role that may not', async () => {
    const answer = await get('/v1/odd/merchants', `Bearer ${await demo.token('c-1')}`)
    expect([answer.statusCode, answer.json().type]).toEqual([403, '/problems/forbidden'])
  })
})

@Controller()
class GuardedController {
  @Get('guarded')
  @Roles('customer')
  read() {
    return {}
  }
}
@Module({ controllers: [GuardedController] })
class GuardedModule {}
const demoModule = GuardedModule

interface IssuerKey {
  readonly jwk: JWK
  /** One that nobody has seen. */
  token(): Promise<string>
}
const issuerKey = async (kid: string): Promise<IssuerKey> => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' },
    token: () =>
      new SignJWT({ sub: 'c-1', roles: ['customer'] })
        .setProtectedHeader({ alg: 'ES256', kid })
        .setIssuer('https://issuer.test')
        .setAudience('bahi')
        .setExpirationTime('1h')
        .setJti(crypto.randomUUID())
        .sign(privateKey),
  }
}

const withKeys =
  (...keys: readonly IssuerKey[]) =>
  (response: ServerResponse): void =>
    void response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }))

/** An app that has its keys from a server, which answers as `issuer.answers` says. */
const openWithIssuer = async (answers: (response: ServerResponse) => void) => {
  const issuer = { answers }
  // A connection for each request: none is left that could end as the next one begins.
  const server = createServer((_, response) => issuer.answers(response.setHeader('connection', 'close')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const clock = new FakeClock(Date.now())
  const config = {
    ...demoConfig,
    JWKS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    JWT_ISSUER: 'https://issuer.test',
    JWT_AUDIENCE: 'bahi',
    LOG_LEVEL: 'silent' as const,
  }
  const app = await createApp(demoModule, { name: 'guarded', config, clock })
  await app.init()
  return {
    issuer,
    clock,
    status: async (token: string) => (await app.inject({ url: '/guarded', headers: { authorization: `Bearer ${token}` } })).statusCode,
    close: async () => {
      await app.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe("the issuer's keys", () => {
  it('are changed under a running app: the new one is taken, what the old one signed is refused', async () => {
    const [old, young] = [await issuerKey('old'), await issuerKey('young')]
    const { issuer, clock, status, close } = await openWithIssuer(withKeys(old))
    const [seen, fresh] = [await old.token(), await young.token()]
    expect(await status(seen)).toBe(200)
    issuer.answers = withKeys(young)
    await eventually('the new key is fetched', async () => (await status(fresh)) === 200, 60_000)
    expect(await status(await old.token())).toBe(401)
    // What was checked before is believed for a minute, and no longer.
    clock.advance(61_000)
    expect(await status(seen)).toBe(401)
    expect(await status(fresh)).toBe(200)
    await close()
  })

  it('that are known do while they cannot be fetched; what another signed is never let in before its key is there', async () => {
    const [known, unknown] = [await issuerKey('known'), await issuerKey('unknown')]
    const { issuer, status, close } = await openWithIssuer(withKeys(known))
    expect(await status(await known.token())).toBe(200)
    const cut = (response: ServerResponse) => void response.destroy()
    issuer.answers = cut
    const stranger = await unknown.token()
    // 401 as long as the keys are young, then they are asked for.
    let answer = 401
    await eventually('its key is asked for', async () => (answer = await status(stranger)) !== 401, 60_000)
    expect(answer).toBe(503)
    for (const away of [
      cut,
      (response: ServerResponse) => void response.writeHead(500).end(),
      (response: ServerResponse) => void response.end('<html>'),
      (response: ServerResponse) => void response.end('{"keys":"none"}'),
    ]) {
      issuer.answers = away
      expect(await status(stranger)).toBe(503)
      expect(await status(await known.token())).toBe(200)
    }
    issuer.answers = withKeys(known, unknown)
    expect(await status(stranger)).toBe(200)
    await close()
  })
})

@Controller()
class ForgetfulController {
  @Get('forgotten')
  read() {
    return {}
  }
}
@Controller()
class ConfusedController {
  @Get('both')
  @Public()
  @Roles('admin')
  read() {
    return {}
  }
}

describe('a route that does not say who may call it', () => {
  it.each([
    [ForgetfulController, 'ForgetfulController.read has neither @Public() nor @Roles'],
    [ConfusedController, 'ConfusedController.read is both'],
  ])('%p keeps the app from starting', async (controller, message) => {
    class Forgetful {}
    const module = { module: Forgetful, controllers: [controller] }
    await expect(createApp(module, { name: 'x', config: { ...demoConfig, LOG_LEVEL: 'silent' } })).rejects.toThrow(message)
  })
})
