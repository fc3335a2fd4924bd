import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import type { Pool } from 'pg'
import { demoApp, demoConfig } from '../app/demo-app.fixture.js'
import { createApp, DevIssuerModule, devIssuerMigrations, pgIssuerKeys } from '../index.js'

let database: TestDatabase
let pool: Pool
beforeAll(async () => {
  database = await createTestDatabase(devIssuerMigrations)
  pool = createPool(database)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const config = {
  ...demoConfig,
  LOG_LEVEL: 'silent' as const,
  JWT_ISSUER: 'bahi',
  JWT_AUDIENCE: 'bahi',
  DEV_ISSUER: true,
  NODE_ENV: 'development' as const,
}
const issuerApp = async () => {
  const app = await createApp(DevIssuerModule.register(config, pgIssuerKeys(pool)), { name: 'issuer', config })
  await app.init()
  return app
}

describe('the development issuer', () => {
  it('gives tokens that the app takes, under keys that outlive it', async () => {
    const [first, second] = await Promise.all([issuerApp(), issuerApp()])
    const asked = await first.inject({ method: 'POST', url: '/v1/dev/token', payload: { sub: 'c-1', roles: ['customer'] } })
    expect([asked.statusCode, asked.json().expiresIn, asked.headers['cache-control']]).toEqual([200, 3_600, 'no-store'])
    const keys = (await second.inject({ url: '/v1/dev/jwks' })).json() as JSONWebKeySet
    await Promise.all([first.close(), second.close()])
    const restarted = await issuerApp()
    expect((await restarted.inject({ url: '/v1/dev/jwks' })).json()).toEqual(keys)
    await restarted.close()
    expect(keys.keys.map((key) => [key.alg, 'd' in key])).toEqual([['ES256', false]])

    const demo = await demoApp({ JWT_ISSUER: 'bahi' }, undefined, [], createLocalJWKSet(keys))
    const headers = { authorization: `Bearer ${asked.json().accessToken}` }
    expect((await demo.app.inject({ url: '/v1/jars', headers })).statusCode).toBe(200)
    await demo.app.close()
  })

  it('holds what is asked to its form', async () => {
    const app = await issuerApp()
    for (const [payload, pointer] of [
      [{ roles: [] }, '/sub'],
      [{ sub: 'a b', roles: [] }, '/sub'],
      [{ sub: 'c-1', roles: ['pirate'] }, '/roles'],
      [{ sub: 'c-1', roles: 'admin' }, '/roles'],
      [{ sub: 'c-1' }, '/roles'],
    ] as const) {
      const answer = await app.inject({ method: 'POST', url: '/v1/dev/token', payload })
      expect([answer.statusCode, answer.json().errors[0].pointer]).toEqual([400, pointer])
    }
    await app.close()
  })
})
