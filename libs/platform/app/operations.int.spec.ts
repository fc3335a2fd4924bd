import { Tracing } from '#tracing'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { FakeClock } from '#kernel/testing'
import { openApiDocument, Readiness } from '../index.js'
import { demoApp, type Demo } from './demo-app.fixture.js'

let demo: Demo
beforeAll(async () => {
  demo = await demoApp()
})
afterAll(() => demo.app.close())

const get = async (url: string, from = demo) => {
  const { statusCode, body, headers } = await from.app.inject({ url })
  return { statusCode, body, type: headers['content-type'] }
}

describe('health', () => {
  it('is ready when every check is, and says which is not', async () => {
    const own = await demoApp()
    const readiness = own.app.get(Readiness)
    expect(await get('/health/ready', own)).toMatchObject({ statusCode: 200, body: '{"status":"ok","checks":{}}' })
    readiness.register('database', async () => undefined)
    readiness.register('log', () => Promise.reject(new Error('secret host name')))
    const answer = await get('/health/ready', own)
    expect([answer.statusCode, JSON.parse(answer.body)]).toEqual([
      503,
      { status: 'unavailable', checks: { database: 'ok', log: 'failing' } },
    ])
    expect(await get('/health/live', own)).toMatchObject({ statusCode: 200 })
    const { body } = await get('/metrics', own)
    expect(body.split('\n').filter((line) => line.startsWith('health_check{'))).toEqual([
      'health_check{check="database",app="demo"} 1',
      'health_check{check="log",app="demo"} 0',
    ])
    await own.app.close()
  })

  it('is ready for requests while what is needed for messages alone is away, and says so of both to who asks for all', async () => {
    const own = await demoApp()
    const readiness = own.app.get(Readiness)
    let there = true
    readiness.register('database', () => Promise.resolve(there))
    readiness.register('consumer', () => Promise.resolve(false), { neededFor: () => 'messages' })
    const ask = async (url: string) => {
      const { statusCode, body } = await get(url, own)
      return [statusCode, JSON.parse(body)]
    }
    const of = '/health/ready?of=requests'
    expect(await ask(of)).toEqual([200, { status: 'ok', checks: { database: 'ok' } }])
    expect(await ask('/health/ready')).toEqual([503, { status: 'unavailable', checks: { database: 'ok', consumer: 'failing' } }])
    there = false
    expect(await ask(of)).toEqual([503, { status: 'unavailable', checks: { database: 'failing' } }])
    // Of what it does not know it leaves nothing out.
    expect((await ask('/health/ready?of=nothing'))[0]).toBe(503)
    expect(Object.keys((await ask('/health/ready?of=nothing'))[1].checks)).toEqual(['database', 'consumer'])
    await own.app.close()
  })

  it('does not wait for a check that hangs', async () => {
    const clock = new FakeClock()
    const readiness = new Readiness(clock)
    readiness.register('database', () => new Promise(() => undefined), { timeout_ms: 250 })
    const look = readiness.look()
    clock.advance(250)
    expect(await look).toEqual({ status: 'unavailable', checks: { database: 'timed-out' } })
  })
})

describe('metrics', () => {
  it('are one registry per app, with a series per route template', async () => {
    const [own, other] = [await demoApp(), await demoApp()]
    const id = '0190a1b2-0000-7000-8000-00000000beef'
    await own.app.inject({ url: `/v1/jars/${id}`, headers: await own.as('c-1') })
    await own.app.inject({ url: '/v1/no/such/path' })
    const answer = await get('/metrics', own)
    expect(answer.type).toContain('text/plain')
    const requests = ({ body }: { body: string }) =>
      body.split('\n').filter((line) => line.startsWith('http_request_duration_seconds_count'))
    expect(requests(answer)).toEqual([
      'http_request_duration_seconds_count{app="demo",method="GET",route="/v1/jars/:id",status="404"} 1',
      'http_request_duration_seconds_count{app="demo",method="GET",route="unknown",status="404"} 1',
    ])
    expect(requests(await get('/metrics', other))).toEqual([])
    await own.app.close()
    await other.app.close()
  })
})

describe('metrics of collected requests', () => {
  it('have the trace of a request as exemplar, in OpenMetrics alone', async () => {
    const { app } = await demoApp(
      {},
      undefined,
      [],
      undefined,
      new Tracing(new TracerProvider().getTracer('test'), () => Promise.resolve()),
    )
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    await app.inject({ url: '/openapi.json' })
    await app.inject({ url: '/v1/no/such/path', headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } })
    const read = (accept: string) => app.inject({ url: '/metrics', headers: { accept } })
    const open = await read('application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
    expect(open.headers['content-type']).toContain('application/openmetrics-text')
    expect(open.body).toMatch(
      new RegExp(`^http_request_duration_seconds_bucket\\{.*route="unknown".*\\} 1 # \\{trace_id="${traceId}"\\} `, 'm'),
    )
    expect(open.body).toMatch(/^process_cpu_seconds_total\{app="demo"\} /m)
    expect(open.body).toMatch(/# EOF\n$/)
    // What was read once in the one format is whole in the other.
    const text = await read('text/plain')
    expect(text.headers['content-type']).toContain('text/plain')
    expect(text.body).not.toContain(traceId)
    expect(text.body).toMatch(/^process_cpu_seconds_total\{app="demo"\} /m)
    await app.close()
  })
})

describe('the OpenAPI document', () => {
  it('is served, and is what the code says', async () => {
    const { statusCode, body } = await get('/openapi.json')
    const document = openApiDocument(demo.app)
    expect([statusCode, JSON.parse(body)]).toEqual([200, JSON.parse(JSON.stringify(document))])
    const make = document.paths['/v1/jars']?.post
    expect(make?.security).toEqual([{ bearer: [] }])
    expect(make?.parameters).toContainEqual(expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }))
    expect(Object.keys(make?.responses ?? {})).toEqual(
      expect.arrayContaining(['201', '400', '401', '403', '409', '412', '413', '415', '422', '429', '500', '503']),
    )
    expect(document.paths['/v1/jars/{id}']?.get?.parameters).toContainEqual(
      expect.objectContaining({ name: 'id', in: 'path', schema: expect.objectContaining({ format: 'uuid' }) }),
    )
    expect(document.paths['/v1/odd/open']?.get?.security).toBeUndefined()
    expect(document.components?.schemas?.MakeJarDto).toMatchObject({
      required: ['label', 'price', 'items'],
      additionalProperties: false,
      properties: { label: { type: 'string', minLength: 1, maxLength: 40 }, items: { type: 'array', minItems: 1, maxItems: 100 } },
    })
    expect(document.components?.schemas?.PositiveMoneyDto).toMatchObject({ additionalProperties: false })
    expect(document.paths['/openapi.json']).toBeUndefined()
  })

  it('describes query parameters with their bounds', () => {
    const parameters = openApiDocument(demo.app).paths['/v1/jars']?.get?.parameters
    expect(parameters).toContainEqual(
      expect.objectContaining({
        name: 'limit',
        in: 'query',
        required: false,
        schema: expect.objectContaining({ minimum: 1, maximum: 100 }),
      }),
    )
  })
})
