import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { demoApp, type Demo } from './demo-app.fixture.js'

let demo: Demo
let app: NestFastifyApplication

beforeAll(async () => {
  demo = await demoApp()
  app = demo.app
})
afterAll(() => app.close())

const json = { 'content-type': 'application/json' }

describe('an app', () => {
  it('answers liveness', async () => {
    const answer = await app.inject({ url: '/health/live' })
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ok', checks: {} }])
  })

  it('creates', async () => {
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/jars',
      headers: { ...json, ...(await demo.as('c-1')), 'idempotency-key': 'k-1' },
      payload: { label: 'rice', price: { amount: '100', currency: 'INR' }, items: [{ sku: 'A', quantity: 1 }] },
    })
    expect([answer.statusCode, answer.json(), answer.headers]).toMatchObject([201, { label: 'rice' }, { etag: '"1"' }])
  })
})
