import { StoreOverloaded, StoreUnavailable } from '#event-store'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { FakeClock } from '#kernel/testing'
import { demoApp, type Demo } from '../app/demo-app.fixture.js'
import { ConsistencyToken, fingerprint, type Role } from '../index.js'

let demo: Demo
beforeEach(async () => {
  demo = await demoApp()
})
afterEach(() => demo.app.close())

const good = { label: 'rice', price: { amount: '100', currency: 'INR' }, items: [{ sku: 'A', quantity: 1 }] }

interface Call {
  readonly sub?: string
  readonly roles?: readonly Role[]
  readonly key?: string
  readonly headers?: Record<string, string>
}
const send = async (
  url: string,
  payload: string | object,
  { sub = 'c-1', roles = ['customer'], key, headers = {} }: Call = {},
  to = demo,
) =>
  to.app.inject({
    method: 'POST',
    url,
    headers: {
      'content-type': 'application/json',
      ...(await to.as(sub, ...roles)),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...headers,
    },
    payload,
  })
const make = (payload: string | object, call: Call = { key: 'k' }, to = demo) => send('/v1/jars', payload, call, to)
const slug = (answer: { json(): { type?: string } }) => answer.json().type?.replace('/problems/', '')
const kept = ({ statusCode, headers, body }: Awaited<ReturnType<typeof send>>) => ({
  statusCode,
  body,
  location: headers.location,
  etag: headers.etag,
  token: headers['consistency-token'],
  type: headers['content-type'],
})

describe('an idempotency key', () => {
  it('gives the first answer again, byte for byte, for a body that is equal as JSON', async () => {
    const first = await make(good)
    expect(first.statusCode).toBe(201)
    expect(first.headers['idempotency-replayed']).toBeUndefined()
    const again = await make('{ "items": [{"quantity": 1.0, "sku":"\\u0041"}], "price":{"currency":"INR","amount":"100"}, "label":"rice" }')
    expect(kept(again)).toEqual(kept(first))
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(first.headers.location).toBe(`/v1/jars/${first.json().jarId}`)
    expect(ConsistencyToken.parse(String(first.headers['consistency-token']))).toEqual({
      incarnation: demo.gated.store.incarnation,
      streams: { [`jar-${first.json().jarId}`]: 1 },
    })
    expect(await demo.gated.appended()).toBe(1)
  })

  it('refuses another body', async () => {
    await make(good)
    const other = await make({ ...good, label: 'dal' })
    expect([other.statusCode, slug(other)]).toEqual([422, 'idempotency-key-reused'])
  })

  it('gives an answer again that an older release kept by an unkeyed fingerprint, and keeps none by such', async () => {
    const asked: string[] = []
    demo.gated.instead = (command) => {
      asked.push(command.fingerprint)
      return { ...command, fingerprint: fingerprint(good) }
    }
    const first = await make(good)
    expect(asked).toEqual([expect.not.stringContaining(fingerprint(good))])
    demo.gated.instead = (command) => command
    expect(kept(await make(good))).toEqual(kept(first))
    const other = await make({ ...good, label: 'dal' })
    expect([other.statusCode, slug(other)]).toEqual([422, 'idempotency-key-reused'])
  })

  it('belongs to caller, method and path', async () => {
    const first = await make(good)
    const other = await make(good, { sub: 'c-2', key: 'k' })
    expect(other.json().jarId).not.toBe(first.json().jarId)
    const fill = await send(`${String(first.headers.location)}/fill`, { by: 1 }, { key: 'k' })
    expect([fill.statusCode, fill.headers.etag]).toEqual([200, '"2"'])
  })

  it.each([[' '], ['a b'], ['é'], [''], ['x'.repeat(256)]])('of %.10j is malformed', async (key) => {
    const answer = await make(good, { headers: { 'idempotency-key': key } })
    expect([answer.statusCode, slug(answer)]).toEqual([400, 'idempotency-key-invalid'])
  })

  it('of 255 visible characters is taken, and is optional where the route does not ask', async () => {
    const first = await make(good, { key: '!'.repeat(255) })
    expect(first.statusCode).toBe(201)
    const fill = () => send(`${String(first.headers.location)}/fill`, { by: 1 })
    expect([(await fill()).headers.etag, (await fill()).headers.etag]).toEqual(['"2"', '"3"'])
  })

  it.each([
    [9, 409, 'invalid-transition'],
    [10, 422, 'jar-full'],
  ])('keeps refusals: by %d', async (by, status, name) => {
    const { location } = (await make(good)).headers
    await send(`${String(location)}/fill`, { by: 1 })
    const refused = () => send(`${String(location)}/fill`, { by }, { key: 'refused' })
    const first = await refused()
    expect([first.statusCode, slug(first)]).toEqual([status, name])
    const again = await refused()
    expect(kept(again)).toEqual(kept(first))
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(again.headers['content-type']).toBe('application/problem+json')
  })

  it('is free again after what was not kept', async () => {
    const { location } = (await make(good)).headers
    const fill = `${String(location)}/fill`
    expect((await send(fill, { by: 0 }, { key: 'f' })).statusCode).toBe(400)
    expect((await send(fill, { by: 1 }, { key: 'f', headers: { 'if-match': '"9"' } })).statusCode).toBe(412)
    demo.gated.failWith = new StoreUnavailable('gone')
    expect((await send(fill, { by: 1 }, { key: 'f' })).statusCode).toBe(503)
    demo.gated.failWith = new StoreOverloaded('full')
    const overloaded = await send(fill, { by: 1 }, { key: 'f' })
    expect([overloaded.statusCode, overloaded.headers['retry-after']]).toEqual([503, '1'])
    demo.gated.failWith = new Error('bug')
    expect((await send(fill, { by: 1 }, { key: 'f' })).statusCode).toBe(500)
    demo.gated.failWith = undefined
    const done = await send(fill, { by: 2 }, { key: 'f' })
    expect([done.statusCode, done.json()]).toEqual([200, { level: 2 }])
  })

  it('sent fifty times at once has one effect and one answer', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => make(good)))
    expect(new Set(answers.map((answer) => JSON.stringify(kept(answer)))).size).toBe(1)
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(49)
    expect(await demo.gated.appended()).toBe(1)
  })

  it('waits five seconds for the first, then says so', async () => {
    // The store sleeps too, for less and for more.
    const waits = Promise.withResolvers<void>()
    const clock = new (class extends FakeClock {
      override sleep(delay_ms: number, signal?: AbortSignal): Promise<void> {
        if (delay_ms === 5_000) waits.resolve()
        return super.sleep(delay_ms, signal)
      }
    })(Date.now())
    const timed = await demoApp({}, clock)
    const gate = Promise.withResolvers<void>()
    timed.gated.gate = gate.promise
    // Either of them may be the first.
    const both = [make(good, { key: 'k' }, timed), make(good, { key: 'k' }, timed)]
    await waits.promise
    clock.advance(5_000)
    const answer = await Promise.race(both)
    expect([answer.statusCode, answer.headers['retry-after'], slug(answer)]).toEqual([409, '1', 'idempotency-key-in-flight'])
    gate.resolve()
    expect((await Promise.all(both)).map(({ statusCode }) => statusCode).sort()).toEqual([201, 409])
    expect((await make(good, { key: 'k' }, timed)).headers['idempotency-replayed']).toBe('true')
    await timed.app.close()
  })
})

describe('If-Match', () => {
  it('lets a change through on the version it names, and on any with *', async () => {
    const { location } = (await make(good)).headers
    const fill = async (ifMatch: string) => send(`${String(location)}/fill`, { by: 1 }, { headers: { 'if-match': ifMatch } })
    expect((await fill('"1"')).headers.etag).toBe('"2"')
    const stale = await fill('"1"')
    expect([stale.statusCode, slug(stale)]).toEqual([412, 'version-mismatch'])
    expect((await fill('*')).headers.etag).toBe('"3"')
    for (const malformed of ['3', 'W/"3"', '"x"', '"3", "4"', '""', '"03"'])
      expect([malformed, (await fill(malformed)).statusCode]).toEqual([malformed, 400])
  })

  it('comes after the replay', async () => {
    const { location } = (await make(good)).headers
    const fill = async () => send(`${String(location)}/fill`, { by: 1 }, { key: 'f', headers: { 'if-match': '"1"' } })
    const first = await fill()
    expect(kept(await fill())).toEqual(kept(first))
  })
})

describe('an act by a role that customers do not have', () => {
  const acts = async (actor: string) => {
    const found = []
    for await (const { data, metadata } of demo.gated.store.readStream(`audit-${actor}`)) found.push({ ...data, ...metadata })
    return found
  }

  it('is appended with its entry in the audit trail, once, and refused too; what was not kept leaves none', async () => {
    const { location } = (await make(good)).headers
    const staff = { sub: 's-1', roles: ['customer', 'support'] as const }
    const path = `${String(location)}/fill`
    const filled = await send(path, { by: 1 }, { ...staff, key: 'k' })
    expect([filled.statusCode, filled.headers.etag]).toEqual([200, '"2"'])
    // No reader could wait for the entry: only the jar is in the token.
    const { streams } = ConsistencyToken.parse(String(filled.headers['consistency-token']))
    expect(streams).toEqual({ [`jar-${String(location).split('/').at(-1)}`]: 2 })
    expect((await send(path, { by: 1 }, { ...staff, key: 'k' })).headers['idempotency-replayed']).toBe('true')
    expect((await send(path, { by: 10 }, staff)).statusCode).toBe(422)
    expect((await send(path, { by: 1 }, { ...staff, headers: { 'if-match': '"9"' } })).statusCode).toBe(412)
    expect((await send(path, { by: 0 }, staff)).statusCode).toBe(400)
    demo.gated.failWith = new StoreUnavailable('gone')
    expect((await send(path, { by: 1 }, staff)).statusCode).toBe(503)
    demo.gated.failWith = undefined
    const entry = { action: 'POST /v1/jars/:id/fill', path, roles: ['support'], actor: 's-1' }
    expect(await acts('s-1')).toEqual([
      expect.objectContaining({ ...entry, status: 200 }),
      expect.objectContaining({ ...entry, status: 422, refused: 'jar-full' }),
    ])
    expect(await demo.gated.store.verify('audit-s-1')).toMatchObject({ ok: true, checkedEvents: 2 })
  })

  it('is none of a customer, whatever else they are', async () => {
    const { location } = (await make(good)).headers
    await send(`${String(location)}/fill`, { by: 1 })
    await send(`${String(location)}/fill`, { by: 1 }, { roles: ['customer', 'merchant'] })
    expect(await acts('c-1')).toEqual([])
  })
})

describe('ownership', () => {
  it('hides what is another’s', async () => {
    const { location } = (await make(good)).headers
    const read = async (sub: string) => (await demo.app.inject({ url: String(location), headers: await demo.as(sub) })).statusCode
    expect([await read('c-1'), await read('c-2')]).toEqual([200, 404])
    expect((await send(`${String(location)}/fill`, {}, { sub: 'c-2' })).statusCode).toBe(404)
  })
})

describe('a consistency token on a read', () => {
  it('is fulfilled at once where it can be, and malformed is 400', async () => {
    const { headers } = await make(good)
    const read = async (token: string) =>
      demo.app.inject({ url: String(headers.location), headers: { ...(await demo.as('c-1')), 'consistency-token': token } })
    expect((await read(String(headers['consistency-token']))).statusCode).toBe(200)
    const bad = await read('!!')
    expect([bad.statusCode, slug(bad)]).toEqual([400, 'invalid-consistency-token'])
  })
})
