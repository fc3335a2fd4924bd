import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { testServerUrl } from '#postgres/testing'
import pg from 'pg'
import { appDatabases, startApps, type RunningApps } from './compose.js'
import { appUrl, prepareDatabases } from './databases.js'
import { mergeOpenApi, shape } from '../front/open-api.js'
import { ROUTES, type AppName } from '../front/routing-table.js'

/** What every app serves of itself; the front serves it for all. */
const OWN = new Set(['/health/live', '/health/ready', '/metrics'])

const PASSWORD = 'routing-table'
let server: Server
let apps: RunningApps
let base: string

beforeAll(async () => {
  await prepareDatabases(testServerUrl(), PASSWORD, appDatabases)
  server = createServer().listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const secret = Buffer.alloc(32, 7).toString('base64')
  apps = await startApps({
    baseUrl: base,
    secrets: { masterKey: secret, fraudHashKey: secret, providerApiKey: secret, providerWebhookSecret: secret, databasePassword: PASSWORD },
    databaseUrl: (schema) => appUrl(testServerUrl(), schema, PASSWORD),
    env: { LOG_LEVEL: 'silent' },
  })
  server.on('request', apps.listener)
})

afterAll(async () => {
  await new Promise((closed) => {
    server.close(closed)
    server.closeAllConnections()
  })
  await apps?.stop()
  const client = new pg.Client({ connectionString: testServerUrl() })
  await client.connect()
  await client.query('DROP DATABASE IF EXISTS bahi WITH (FORCE)')
  await client.end()
})

const inTable = (app: AppName) => ROUTES.filter((route) => route.app === app).map(({ method, path }) => `${method} ${shape(path)}`)
const inApp = (app: AppName) =>
  Object.entries(apps.documents().get(app)?.paths ?? {})
    .filter(([path]) => !OWN.has(path))
    .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${shape(path)}`))

describe('the routing table', () => {
  it('names each route once', () => {
    const routes = ROUTES.map(({ method, path }) => `${method} ${shape(path)}`)
    expect(routes.filter((route, index) => routes.indexOf(route) !== index)).toEqual([])
  })

  it.each(['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'] as const)('has exactly the routes of %s', (app) => {
    expect(inApp(app).length).toBeGreaterThan(0)
    expect(inTable(app).sort()).toEqual(inApp(app).sort())
  })

  it('leads each call to an app: none is answered by the front', async () => {
    const lost: string[] = []
    for (const { method, path } of ROUTES) {
      const answer = await fetch(base + path.replace(/\{\w+\}/g, '0190a000-0000-7000-8000-00000000dead'), { method })
      const { detail } = (await answer.json()) as { detail?: string }
      if (detail?.includes('/docs lists') || answer.status === 405) lost.push(`${method} ${path}: ${answer.status}`)
    }
    expect(lost).toEqual([])
  })
})

/** The HTTP contract as far as it is offered: a path that goes away breaks clients. */
const CONTRACT = `
PUT /v1/products/{sku}
POST /v1/products/{sku}/stock
GET /v1/products/{sku}
GET /v1/products
POST /v1/orders
POST /v1/orders/{id}/cancel
GET /v1/orders/{id}
GET /v1/orders
GET /v1/orders/{id}/history
GET /v1/orders/{id}/payment
POST /v1/wallets
GET /v1/wallets/{id}
GET /v1/wallets
POST /v1/wallets/{id}/credits
POST /v1/wallets/{id}/debits
POST /v1/wallets/{id}/holds
POST /v1/wallets/{id}/holds/{holdId}/capture
POST /v1/wallets/{id}/holds/{holdId}/release
GET /v1/sagas
GET /v1/sagas/{id}
POST /v1/webhooks/{provider}
POST /v1/fraud/scores
GET /v1/fraud/alerts
POST /v1/fraud/alerts/{id}/decision
POST /v1/dev/token
GET /v1/ops/consumers
GET /v1/ops/dead-letters
GET /v1/ops/dead-letters/{id}
POST /v1/ops/dead-letters/{id}/redrive
POST /v1/ops/dead-letters/redrive
GET /health/live
GET /health/ready
GET /metrics
`

/** Where the HTTP contract asks for an `Idempotency-Key`: without one a repeat would move money or place an order twice. */
const KEY_REQUIRED = [
  'POST /v1/orders',
  'POST /v1/payments/{}/refunds',
  'POST /v1/transfers',
  'POST /v1/wallets/{}/credits',
  'POST /v1/wallets/{}/debits',
  'POST /v1/wallets/{}/holds',
  'POST /v1/wallets/{}/holds/{}/capture',
  'POST /v1/wallets/{}/holds/{}/release',
  'POST /v1/wallets/{}/loads',
]
/** Changes nothing that is kept, or has a repeat told otherwise: a token, a provider's own event number. */
const KEYLESS = ['POST /v1/dev/token', 'POST /v1/webhooks/{}']

describe('the merged OpenAPI document', () => {
  const merged = () => mergeOpenApi(apps.documents())
  const operations = () =>
    Object.entries(merged().paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
    )

  it('has every path of the contract', () => {
    const given = new Set(operations().map(({ method, path }) => `${method.toUpperCase()} ${shape(path)}`))
    expect(
      CONTRACT.trim()
        .split('\n')
        .map(shape)
        .filter((call) => !given.has(call)),
    ).toEqual([])
  })

  it('asks for a key exactly where the contract does, and takes one with every other POST', () => {
    const posts = operations().filter(({ method }) => method === 'post')
    const keyOf = (operation: unknown) =>
      (operation as { parameters?: { name: string; required?: boolean }[] }).parameters?.find(({ name }) => name === 'Idempotency-Key')
    const names = (chosen: typeof posts) => chosen.map(({ path }) => `POST ${shape(path)}`).sort()
    expect(names(posts.filter(({ operation }) => keyOf(operation)?.required === true))).toEqual(KEY_REQUIRED)
    expect(names(posts.filter(({ operation }) => keyOf(operation) === undefined))).toEqual(KEYLESS)
  })

  it('has none of what is not offered yet', () => {
    const paths = operations().map(({ path }) => path)
    expect(paths.filter((path) => /tracking|location|analytics|fraud\/models|ops\/projections/.test(path))).toEqual([])
  })

  it('names each operation once, and every schema it refers to is there', () => {
    const ids = operations().map(({ operation }) => (operation as { operationId: string }).operationId)
    expect(new Set(ids).size).toBe(ids.length)
    const text = JSON.stringify(merged())
    const schemas = Object.keys(merged().components?.schemas ?? {})
    const referred = [...text.matchAll(/#\/components\/schemas\/([\w.-]+)/g)].map(([, name]) => name ?? '')
    expect(referred.filter((name) => !schemas.includes(name))).toEqual([])
  })

  it('says what is answered: every success has a schema, every error is a problem', () => {
    const silent = operations().flatMap(({ method, path, operation }) =>
      Object.entries((operation as { responses: Record<string, { content?: object }> }).responses)
        .filter(
          ([status, { content }]) =>
            !content || (Number(status) >= 400 && !path.startsWith('/health') && !('application/problem+json' in content)),
        )
        .map(([status]) => `${method} ${path} ${status}`),
    )
    expect(silent).toEqual([])
  })
})
