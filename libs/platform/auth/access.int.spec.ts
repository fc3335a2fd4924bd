import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { FakeClock } from '#kernel/testing'
import { Controller, Get, Module } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { SignJWT } from 'jose'
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
