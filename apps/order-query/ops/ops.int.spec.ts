import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { systemClock } from '#kernel'
import { asMemory, eventually, memoryTransactions } from '#kernel/testing'
import { Consumer, DependencyUnavailable, encodeMessage, type BatchHandler, type LogDriver } from '#messaging'
import { MemoryConsumerStore } from '#messaging/testing'
import { auditStream, pgEvents, typesByCategory, type RecordedEvent } from '#event-store'
import { publishingActs } from '#platform'
import { createPool } from '#postgres'
import { streamTypes } from '../streams.js'
import { LOG_DRIVER } from '../tokens.js'
import { openWorld, type World } from '../testing/world.js'
import { RecoveredLetters } from './recovered-letters.js'

const ADMIN = ['asha', 'admin'] as const
const TOPIC = 'parcels'
const LETTERS = '/v1/ops/dead-letters'

let world: World
let log: LogDriver
let shop: Consumer
let ill = true
let away = false
const handled: string[] = []
let position = 0n

/** Another app: it cannot handle what is ill. */
const shopHandler: BatchHandler = (messages) => {
  if (away) return Promise.reject(new DependencyUnavailable('no carrier'))
  for (const { data } of messages) if (ill && data['ill'] === true) throw new TypeError('cannot read the parcel of 9876543210')
  return Promise.resolve((tx) => {
    asMemory(tx).onCommit(() => handled.push(...messages.map(({ data }) => String(data['name']))))
    return Promise.resolve()
  })
}

const send = async (name: string, isIll: boolean) => {
  const context = { correlationId: `order-${name}`, causationId: 'test' }
  const message = { topic: TOPIC, key: name, type: 'ParcelSent', schemaVersion: 1, data: { name, ill: isIll }, context }
  const origin = { incarnation: 'one', position: ++position, ordinal: 0 }
  await (await log.producer()).send([encodeMessage(message, 'parcels-app', Date.now(), origin)])
}

const listed = async (query = ''): Promise<readonly Record<string, unknown>[]> => {
  const { status, body } = await world.get(`${LETTERS}${query}`, { as: ADMIN })
  expect(status).toBe(200)
  return body.items ?? []
}

/** What the app's own store keeps of what somebody did, under a chain that verifies. */
const actsOf = async (actor: string): Promise<readonly RecordedEvent[]> => {
  const pool = createPool(world.database)
  try {
    const reader = pgEvents(pool, typesByCategory(streamTypes), systemClock)
    const acts = await Array.fromAsync(reader.readStream(`audit-${actor}`))
    expect(await reader.verify(`audit-${actor}`)).toMatchObject({ ok: true, checkedEvents: acts.length })
    return acts
  } finally {
    await pool.end()
  }
}

beforeAll(async () => {
  world = await openWorld()
  log = world.log()
  await log.ensureTopics([{ name: TOPIC, partitions: 2, retention_ms: 86_400_000 }])
  shop = new Consumer(
    {
      driver: log,
      group: 'shop',
      transactions: memoryTransactions(),
      consumerStore: new MemoryConsumerStore(),
      maxAttempts: 1,
      firstRetry_ms: 1,
      mostRetry_ms: 2,
      deferredPoll_ms: 20,
      tell_ms: 20,
    },
    new Map([[TOPIC, shopHandler]]),
  )
  await shop.start()
  await world.app.startAllMicroservices()
  await world.app.init()
})

afterAll(async () => {
  await shop.close()
  await log.close()
  await world.close()
})

describe('dead letters', () => {
  it('are listed, shown and sent back, with who and why, for administrators', async () => {
    await send('a', true)
    await send('b', true)
    await send('c', false)
    await eventually('both are known', async () => handled.length > 0 && (await listed(`?topic=${TOPIC}`)).length === 2)
    expect(handled).toEqual(['c'])
    const [letter] = await listed('?key=a')
    expect(letter).toMatchObject({
      group: 'shop',
      topic: TOPIC,
      key: 'a',
      type: 'ParcelSent',
      source: 'parcels-app',
      status: 'PARKED',
      errorClass: 'TypeError',
      correlationId: 'order-a',
    })
    expect(JSON.stringify(letter)).not.toContain('9876543210')
    const path = `${LETTERS}/${String(letter?.['id'])}`

    expect((await world.get(path, { as: ['ravi', 'support'] })).status).toBe(403)
    expect((await world.post(`${path}/redrive`, { reason: 'x' }, ['ravi', 'support'])).status).toBe(403)
    expect((await world.post(`${path}/redrive`, { colour: 'red' }, ADMIN)).status).toBe(400)
    const unknown = `${LETTERS}/0190a000-0000-8000-8000-00000000dead`
    expect((await world.get(unknown, { as: ADMIN })).status).toBe(404)
    expect((await world.post(`${unknown}/redrive`, { colour: 'red' }, ADMIN)).status).toBe(404)

    // Nothing is mended: it comes back with another try to show.
    const once = await world.post(`${path}/redrive`, { reason: 'to see' }, ADMIN, 'k-1')
    expect(once).toMatchObject({ status: 200, body: { requested: 1, remaining: 0 } })
    const again = await world.post(`${path}/redrive`, { reason: 'to see' }, ADMIN, 'k-1')
    expect(again.text).toBe(once.text)
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect((await world.post(`${path}/redrive`, { reason: 'other' }, ADMIN, 'k-1')).body).toMatchObject({
      type: '/problems/idempotency-key-reused',
    })
    const parkedTwice = async () => {
      const { body } = await world.get(path, { as: ADMIN })
      return (body['history'] as { type: string }[]).filter(({ type }) => type === 'PARKED').length === 2
    }
    await eventually('it is parked again', parkedTwice)

    ill = false
    for (let times = 0; times < 3; times++) await world.post(`${path}/redrive`, { reason: 'mended in release 42' }, ADMIN)
    await eventually('it is handled', async () => (await listed('?status=RECOVERED')).length === 1)
    expect(handled).toEqual(['c', 'a'])
    const { body } = await world.get(path, { as: ADMIN })
    expect(body['history']).toContainEqual(
      expect.objectContaining({ type: 'REDRIVE_REQUESTED', by: 'asha', reason: 'mended in release 42' }),
    )
    expect(body['history']).toContainEqual(expect.objectContaining({ type: 'RECOVERED', by: 'asha' }))
    // Sent back once it is handled, it is nothing to anybody.
    expect((await world.post(`${path}/redrive`, { reason: 'again' }, ADMIN)).body).toMatchObject({ requested: 0 })
  })

  it('are sent back by filter, each once, and all', async () => {
    ill = true
    for (const name of ['d', 'e', 'f']) await send(name, true)
    await eventually('all are known', async () => (await listed(`?topic=${TOPIC}`)).length === 4)
    expect((await listed('?errorClass=RangeError')).length).toBe(0)
    const pages = await world.get(`${LETTERS}?limit=3`, { as: ADMIN })
    expect(pages.body.items).toHaveLength(3)
    expect(await listed(`?limit=3&cursor=${pages.body.nextCursor ?? ''}`)).toHaveLength(1)

    ill = false
    const none = await world.post(`${LETTERS}/redrive`, { topic: 'orders.events', reason: 'mended' }, ADMIN)
    expect(none.body).toMatchObject({ requested: 0, remaining: 0 })
    const some = await world.post(`${LETTERS}/redrive`, { topic: TOPIC, filter: { key: 'd', type: 'ParcelSent' }, reason: 'mended' }, ADMIN)
    expect(some.body).toMatchObject({ requested: 1, remaining: 0 })
    const all = await world.post(`${LETTERS}/redrive`, { reason: 'mended' }, ADMIN)
    expect(all.body['remaining']).toBe(0)
    await eventually('all are handled', async () => (await listed()).length === 0)
    expect([...handled].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect((await world.post(`${LETTERS}/redrive`, { filter: { colour: 'red' }, reason: 'x' }, ADMIN)).status).toBe(400)
    const longAgo = { filter: { from: '0790-06-09T12:13:52-23:23', to: '0790-06-09T12:13:52+23:23' } }
    expect(await world.post(`${LETTERS}/redrive`, longAgo, ADMIN)).toMatchObject({ status: 200, body: { requested: 0 } })
  })

  it('are not sent back while the log is away: 503, and with the same key when it is back', async () => {
    ill = true
    await send('h', true)
    await eventually('it is known', async () => (await listed(`?topic=${TOPIC}`)).length === 1)
    const acts = await actsOf('asha')
    const driver = world.app.get<LogDriver>(LOG_DRIVER)
    const producer = driver.producer
    driver.producer = () => Promise.reject(new DependencyUnavailable('no broker'))
    const ask = () => world.post(`${LETTERS}/redrive`, { reason: 'mended' }, ADMIN, 'k-away')
    try {
      expect(await ask()).toMatchObject({ status: 503, body: { type: '/problems/unavailable' } })
    } finally {
      driver.producer = producer
    }
    expect(await actsOf('asha')).toEqual(acts)
    ill = false
    expect(await ask()).toMatchObject({ status: 200, body: { requested: 1 } })
    await eventually('it is handled', async () => (await listed()).length === 0)
  })

  it('are not sent back while the system is moved to another log', async () => {
    ill = true
    await send('g', true)
    await eventually('it is known', async () => (await listed(`?topic=${TOPIC}`)).length === 1)
    const pool = createPool(world.database)
    const leave = (leaving: boolean) => pool.query('UPDATE consumer_offset SET leaving = $1', [leaving])
    const acts = await actsOf('asha')
    await leave(true)
    expect((await world.post(`${LETTERS}/redrive`, { reason: 'mended' }, ADMIN)).status).toBe(503)
    expect(await actsOf('asha')).toEqual(acts)
    await leave(false)
    await pool.end()
    ill = false
    expect((await world.post(`${LETTERS}/redrive`, { reason: 'mended' }, ADMIN)).status).toBe(200)
    await eventually('it is handled', async () => (await listed()).length === 0)
  })
})

describe('the audit trail', () => {
  const AUDITOR = ['ravi', 'auditor'] as const
  const trail = async (query: string, as: readonly [string, 'auditor' | 'admin'] = AUDITOR) => {
    const { status, body } = await world.get(`/v1/ops/audit?${query}`, { as })
    expect(status).toBe(200)
    return body
  }
  /** As the wallet's relay sends it. */
  const acted = async (at: number, more: object, reason?: string) => {
    const data = { action: 'POST /v1/wallets/:id/freeze', path: '/v1/wallets/w-1/freeze', roles: ['support'], status: 200, ...more }
    const metadata = { actor: 'meera', correlationId: `c-${at}`, causationId: 'x', commandId: `http:${at}`, ...(reason && { reason }) }
    const event = { stream: `${auditStream.category}-meera`, type: 'ActDone', data, metadata, version: at, schemaVersion: 1 }
    const recorded = { ...event, position: BigInt(at), recordedAt: Date.UTC(2026, 10, 1, 10, at), hash: new Uint8Array() }
    const origin = { incarnation: 'wallets', position: BigInt(at), ordinal: 0 }
    const messages = publishingActs(() => [])(recorded)
    expect(messages).toHaveLength(1)
    await (await log.producer()).send(messages.map((message) => encodeMessage(message, 'wallet', recorded.recordedAt, origin)))
  }

  it('shows auditors who did what, on what, why and when, each act once, the newest first', async () => {
    await acted(1, {}, 'stolen, says +91 98765 43210')
    await acted(2, { status: 409, refused: 'invalid-transition' })
    await acted(3, { action: 'POST /v1/wallets/:id/close', path: '/v1/wallets/w-1/close' })
    await acted(3, { action: 'POST /v1/wallets/:id/close', path: '/v1/wallets/w-1/close' })
    await eventually('all came', async () => (await trail('actor=meera')).items?.length === 3)
    const { items = [] } = await trail('actor=meera&path=/v1/wallets/w-1/freeze')
    expect(items).toEqual([
      expect.objectContaining({ at: '2026-11-01T10:02:00.000Z', app: 'wallet', status: 409, refused: 'invalid-transition' }),
      {
        at: '2026-11-01T10:01:00.000Z',
        app: 'wallet',
        actor: 'meera',
        roles: ['support'],
        action: 'POST /v1/wallets/:id/freeze',
        path: '/v1/wallets/w-1/freeze',
        status: 200,
        reason: 'stolen, says +#',
        correlationId: 'c-1',
        commandId: 'http:1',
      },
    ])
    const first = await trail('actor=meera&limit=2')
    const rest = await trail(`actor=meera&limit=2&cursor=${String(first.nextCursor)}`)
    expect([...(first.items ?? []), ...(rest.items ?? [])].map(({ correlationId }) => correlationId)).toEqual(['c-3', 'c-2', 'c-1'])
    expect(rest.nextCursor).toBeNull()
    const window = 'from=2026-11-01T10:02:00Z&to=2026-11-01T10:03:00Z'
    expect((await trail(`${window}&action=POST%20/v1/wallets/:id/freeze&app=wallet`)).items).toHaveLength(1)
    expect((await trail(`${window}&app=fraud`)).items).toEqual([])
    for (const role of ['customer', 'merchant', 'support', 'risk', 'service'] as const)
      expect([role, (await world.get('/v1/ops/audit', { as: ['x', role] })).status]).toEqual([role, 403])
  })

  it('has what was asked of dead letters, in the transaction that asked and under a hash chain, once', async () => {
    const ask = () => world.post(`${LETTERS}/redrive`, { topic: 'nowhere', reason: 'mended' }, ['kiran', 'admin'], 'k-audit')
    expect((await ask()).status).toBe(200)
    expect((await ask()).headers['idempotency-replayed']).toBe('true')
    expect(await actsOf('kiran')).toEqual([
      expect.objectContaining({
        type: 'ActDone',
        data: { action: 'POST /v1/ops/dead-letters/redrive', path: `${LETTERS}/redrive`, roles: ['admin'], status: 200 },
        metadata: expect.objectContaining({ actor: 'kiran', reason: 'mended' }),
      }),
    ])
    expect((await trail('actor=kiran')).items).toEqual([
      expect.objectContaining({ app: 'order-query', action: 'POST /v1/ops/dead-letters/redrive', roles: ['admin'], reason: 'mended' }),
    ])
  })

  it('cannot be changed by what writes to it', async () => {
    const pool = createPool(world.database)
    for (const text of [`UPDATE audit SET actor = 'nobody'`, 'DELETE FROM audit', 'TRUNCATE audit'])
      await expect(pool.query(text)).rejects.toThrow('the audit trail is only added to')
    await pool.end()
  })
})

describe('dead letters that recovered', () => {
  it('are forgotten with their history ninety days after; what is still parked, and who asked for redrives, is kept', async () => {
    const pool = createPool(world.database)
    const now_ms = systemClock.now()
    const at = (daysAgo: number) => new Date(now_ms - daysAgo * 86_400_000)
    const put = async (id: string, status: string, parkedDaysAgo: number, changedDaysAgo: number) => {
      await pool.query(
        `INSERT INTO dead_letters VALUES ($1, 'moved', 'moved', 0, 0, 'k', 'm', 'Moved', 's', 'TypeError', 'e', 'h', 8, $2, 'c', NULL, $3, 2)`,
        [id, at(parkedDaysAgo), status],
      )
      await pool.query(`INSERT INTO dead_letter_history VALUES ($1, 1, $2, 'PARKED', '', '', 8), ($1, 2, $3, $4, 'asha', NULL, NULL)`, [
        id,
        at(parkedDaysAgo),
        at(changedDaysAgo),
        status,
      ])
    }
    try {
      await put('old', 'RECOVERED', 200, 91)
      await put('lately', 'RECOVERED', 200, 89)
      await put('parked', 'PARKED', 200, 200)
      await pool.query(`INSERT INTO redrives VALUES ('r', 'c', 'asha', 'mended', $1, '{}', '{old}')`, [at(91)])
      const letters = new RecoveredLetters({ pool, clock: systemClock, onError: () => undefined })
      expect([await letters.forget(), await letters.forget()]).toEqual([1, 0])
      const left = async (table: string) =>
        (await pool.query<{ id: string }>(`SELECT DISTINCT id FROM ${table} WHERE id IN ('old', 'lately', 'parked') ORDER BY id`)).rows.map(
          ({ id }) => id,
        )
      expect([await left('dead_letters'), await left('dead_letter_history')]).toEqual([
        ['lately', 'parked'],
        ['lately', 'parked'],
      ])
      expect((await pool.query(`SELECT FROM redrives WHERE redrive_id = 'r'`)).rowCount).toBe(1)
    } finally {
      await pool.end()
    }
  })
})

describe('consumers', () => {
  it('show every group with its lag in messages and seconds, what it put aside, and what a breaker holds back', async () => {
    const groups = async () => {
      const { status, body } = await world.get('/v1/ops/consumers', { as: ADMIN })
      expect(status).toBe(200)
      return body.items ?? []
    }
    const find = async (group: string) => (await groups()).find((each) => each['group'] === group)
    await eventually('both told', async () => (await find('shop')) !== undefined && (await find('order-query')) !== undefined)
    for (const place of shop.assignment()) shop.pause(place)
    await send('g', false)
    await eventually('it waits', async () => (await find('shop'))?.['lag'] === 1)
    expect(await find('shop')).toMatchObject({ lag: 1, healthy: true, parked: 0, deferred: 0 })
    await eventually('and for how long', async () => Number((await find('shop'))?.['lagSeconds']) > 0)
    for (const place of shop.assignment()) shop.resume(place)
    await eventually('none waits', async () => (await find('shop'))?.['lag'] === 0)
    const breakers = async () => {
      const partitions = ((await find('shop'))?.['partitions'] ?? []) as { topic: string; breaker?: string }[]
      return partitions.flatMap(({ topic, breaker }) => (topic === TOPIC && breaker ? [breaker] : []))
    }
    away = true
    await send('h', false)
    await eventually('it is held back', async () => (await breakers()).includes('open'))
    expect(await find('shop')).toMatchObject({ lag: 1, healthy: true, parked: 0, deferred: 0 })
    away = false
    await eventually('it goes on', async () => (await find('shop'))?.['lag'] === 0)
    await eventually('and tells that', async () => (await breakers()).length === 0)
    expect((await world.get('/v1/ops/consumers', { as: ['ravi', 'support'] })).status).toBe(403)
    const metrics = (await world.app.inject({ method: 'GET', url: '/metrics' })).body
    expect(metrics).toMatch(/consumer_lag_messages\{topic="orders\.events",partition="0",app="order-query"\} 0/)
  })
})
