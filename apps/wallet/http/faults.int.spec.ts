import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import { cuttable, type Cuttable } from '#postgres/testing'
import type pg from 'pg'
import { inr, startTestWallet, type Answer, type Call, type TestWallet } from '../testing/test-app.js'

let line: Cuttable
let test: TestWallet
/** Beside the app: its database, not through the line. */
let outside: pg.Pool
beforeAll(async () => {
  test = await startTestWallet({ DATABASE_CONNECTIONS: 4 }, async (url) => (line = await cuttable(url)).url, { patient: false })
  outside = createPool({
    url: test.databaseUrl,
    schema: 'wallet',
    applicationName: 'outside',
    maxConnections: 4,
    statementTimeout_ms: 30_000,
  })
  // What PostgreSQL says when it cannot, at will: a code in `fault` fails whatever would be appended.
  await outside.query(`
    CREATE TABLE fault (code text NOT NULL);
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE failing text := (SELECT code FROM wallet.fault LIMIT 1);
    BEGIN
      IF failing IS NOT NULL THEN RAISE EXCEPTION 'the inside of wallet.events' USING ERRCODE = failing; END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER fail AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION fail();
  `)
})
afterEach(async () => {
  line.mend()
  await outside.query('DELETE FROM fault')
})
afterAll(async () => {
  await outside?.end()
  await test?.close()
  await line?.close()
})

const post = (path: string, call: Call): Promise<Answer> => test.call('POST', path, call)
const entry = { amount: inr(1), reference: 'r' }

/** 503 as the contract has it, with nothing of the inside. */
const expectUnavailable = (answer: Answer): void => {
  expect([answer.status, answer.headers['content-type'], answer.at('type')]).toEqual([
    503,
    'application/problem+json',
    '/problems/unavailable',
  ])
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  expect(answer.text).not.toMatch(/the inside|wallet\.events|SELECT|INSERT|postgres|timeout|deadlock/i)
}

/** What a wallet says of itself, with its stream verified. */
const books = async (id: string, { call } = test) => {
  const wallet = await call('GET', `/v1/wallets/${id}`)
  expect((await call('GET', `/v1/wallets/${id}/verify`)).at('ok')).toBe(true)
  return { version: wallet.at('version'), balance: wallet.at('balance.amount'), held: wallet.at('held.amount') }
}

const timers = async (): Promise<number> => (await outside.query('SELECT FROM hold_expiry')).rowCount ?? 0

const isWaiting = async (): Promise<boolean> => {
  const { rowCount } = await outside.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
  return (rowCount ?? 0) > 0
}

const FAULTS = [
  ['a deadlock', '40P01'],
  ['a serialisation failure', '40001'],
  ['a statement that ran too long', '57014'],
  ['a full disk', '53100'],
] as const

describe('what PostgreSQL cannot do just now', () => {
  it.each(FAULTS)('%s (%s) is 503, leaves nothing half done, and the same call goes through afterwards', async (_, code) => {
    const name = `fault-${code}`
    const [id, to] = [await test.wallet(name, 100), await test.wallet(`${name}-to`, 0)]
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
    const as = [name, 'customer'] as const
    const calls: readonly (readonly [string, Call])[] = [
      [`/v1/wallets/${id}/credits`, { key: `${name}-1`, body: entry }],
      ['/v1/transfers', { key: `${name}-2`, as, body: { ...entry, fromWalletId: id, toWalletId: to } }],
      [`/v1/wallets/${id}/holds`, { key: `${name}-3`, as, body: { ...entry, expiresAt } }],
    ]
    const before = [await books(id), await books(to), await timers()]
    await outside.query('INSERT INTO fault VALUES ($1)', [code])
    for (const answer of await Promise.all(calls.map((call) => post(...call)))) expectUnavailable(answer)
    await outside.query('DELETE FROM fault')
    expect([await books(id), await books(to), await timers()]).toEqual(before)
    const answers = await Promise.all(calls.map((call) => post(...call)))
    expect(answers.map(({ status, headers }) => [status, headers['idempotency-replayed']])).toEqual([
      [201, undefined],
      [201, undefined],
      [201, undefined],
    ])
    expect(await books(id)).toEqual({ version: 5, balance: '10000', held: '100' })
    expect([await books(to), await timers()]).toEqual([{ version: 2, balance: '100', held: '0' }, Number(before[2]) + 1])
  })

  it('a deadlock that passes is not the client’s to see', async () => {
    const id = await test.wallet('passing', 100)
    await outside.query("INSERT INTO fault VALUES ('40P01')")
    const credited = post(`/v1/wallets/${id}/credits`, { body: entry })
    await new Promise((resolve) => setTimeout(resolve, 100))
    await outside.query('DELETE FROM fault')
    expect((await credited).status).toBe(201)
    expect(await books(id)).toEqual({ version: 3, balance: '10100', held: '0' })
  })
})

describe('a real', () => {
  it('deadlock ends in 503 for the hold that lost it, and the same call goes through afterwards', async () => {
    const id = await test.wallet('deadlock', 100)
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
    const hold = () => post(`/v1/wallets/${id}/holds`, { key: 'deadlocked', body: { ...entry, expiresAt } })
    const other = await outside.connect()
    await other.query("SET deadlock_timeout = '20s'")
    await other.query('BEGIN')
    await other.query('LOCK TABLE hold_expiry IN EXCLUSIVE MODE')
    const losing = hold()
    await eventually('the hold waits for the timers', isWaiting)
    // The hold's transaction has the store's lock, so whoever has the timers' and wants the store's closes the circle.
    const closing = other.query(
      "SELECT pg_advisory_xact_lock(classid::int, objid::int) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2",
    )
    expectUnavailable(await losing)
    await closing
    await other.query('ROLLBACK')
    other.release(true)
    expect(await books(id)).toMatchObject({ held: '0', version: 2 })
    expect((await hold()).status).toBe(201)
    expect(await books(id)).toMatchObject({ held: '100', version: 3 })
  })

  it('serialisation failure ends in 503 for the hold that met it, a credit is tried again until it goes through', async () => {
    const id = await test.wallet('serialised', 100)
    const isolation = async (change: string) => {
      await outside.query(`ALTER DATABASE ${new URL(test.databaseUrl).pathname.slice(1)} ${change}`)
      // For connections that are made from now on.
      line.cut()
      line.mend()
      await eventually('it is connected again', async () => (await test.call('GET', `/v1/wallets/${id}/statement`)).status === 200)
    }
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
    const hold = () => post(`/v1/wallets/${id}/holds`, { key: 'serialised', body: { ...entry, expiresAt } })
    await isolation("SET default_transaction_isolation = 'repeatable read'")
    try {
      const other = await outside.connect()
      await other.query('BEGIN')
      await other.query('UPDATE store SET position = position')
      const losing = hold()
      await eventually('the hold waits for the store', isWaiting)
      const credited = post(`/v1/wallets/${id}/credits`, { body: entry })
      await other.query('COMMIT')
      other.release()
      expectUnavailable(await losing)
      expect((await credited).status).toBe(201)
      expect(await books(id)).toEqual({ version: 3, balance: '10100', held: '0' })
      expect((await hold()).status).toBe(201)
      expect(await books(id)).toEqual({ version: 4, balance: '10100', held: '100' })
    } finally {
      await isolation('RESET default_transaction_isolation')
    }
  })

  it('time-out of a statement ends in 503, and the same call goes through afterwards', async () => {
    const id = await test.wallet('slow', 100)
    const credit = () => post(`/v1/wallets/${id}/credits`, { key: 'slow', body: entry })
    const other = await outside.connect()
    await other.query('BEGIN')
    await other.query('LOCK TABLE commands IN ACCESS EXCLUSIVE MODE')
    expectUnavailable(await credit())
    await other.query('ROLLBACK')
    other.release()
    expect((await credit()).status).toBe(201)
    expect(await books(id)).toEqual({ version: 3, balance: '10100', held: '0' })
  })

  it('want of connections ends in 503 for those that find none, and passes', async () => {
    const id = await test.wallet('crowd', 100)
    const other = await outside.connect()
    await other.query('BEGIN')
    await other.query('LOCK TABLE events IN ACCESS EXCLUSIVE MODE')
    const reads = await Promise.all(Array.from({ length: 30 }, () => test.call('GET', `/v1/wallets/${id}/statement`)))
    await other.query('ROLLBACK')
    other.release()
    for (const read of reads) expectUnavailable(read)
    expect((await test.call('GET', `/v1/wallets/${id}/statement`)).status).toBe(200)
  })

  it('want of connections ends in 503 for writes too, leaves nothing half done, and the same calls go through afterwards', async () => {
    // Its reads wait for longer than a write does for a connection.
    const patientUrl = (url: string) => Promise.resolve(`${url}${url.includes('?') ? '&' : '?'}statement_timeout=60000`)
    const full = await startTestWallet({ DATABASE_CONNECTIONS: 4 }, patientUrl, { patient: false })
    const own = createPool({ url: full.databaseUrl, schema: 'wallet', applicationName: 'outside', maxConnections: 2 })
    const other = await own.connect()
    try {
      const id = await full.wallet('full', 100)
      const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
      const calls: readonly (readonly [string, Call])[] = [
        [`/v1/wallets/${id}/credits`, { key: 'full-1', body: entry }],
        [`/v1/wallets/${id}/debits`, { key: 'full-2', body: entry }],
        [`/v1/wallets/${id}/holds`, { key: 'full-3', body: { ...entry, expiresAt } }],
      ]
      const send = () => Promise.all(calls.map((call) => full.call('POST', ...call)))
      const before = await books(id, full)
      await other.query('SET idle_in_transaction_session_timeout = 0')
      await other.query('BEGIN')
      // What the reads want and no write does.
      await other.query('LOCK TABLE folded_books IN ACCESS EXCLUSIVE MODE')
      const reads = Array.from({ length: 8 }, () => full.call('GET', '/v1/wallets/trial-balance'))
      const waiting = async () =>
        (await own.query("SELECT FROM pg_locks WHERE relation = 'folded_books'::regclass AND NOT granted")).rowCount ?? 0
      await eventually('reads have all connections', async () => (await waiting()) === 4)
      for (const answer of await send()) expectUnavailable(answer)
      await other.query('ROLLBACK')
      await Promise.all(reads)
      expect(await books(id, full)).toEqual(before)
      expect((await own.query('SELECT FROM hold_expiry')).rowCount).toBe(0)
      expect((await send()).map(({ status, headers }) => [status, headers['idempotency-replayed']])).toEqual([
        [201, undefined],
        [201, undefined],
        [201, undefined],
      ])
      expect(await books(id, full)).toEqual({ version: 5, balance: '10000', held: '100' })
    } finally {
      other.release(true)
      await own.end()
      await full.close()
    }
  })

  it('silence of all connections ends in 503 in bounded time, and the same calls go through on new ones', async () => {
    const id = await test.wallet('silent', 100)
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
    const calls: readonly (readonly [string, Call])[] = [
      [`/v1/wallets/${id}/credits`, { key: 'silent-1', body: entry }],
      [`/v1/wallets/${id}/debits`, { key: 'silent-2', body: entry }],
      [`/v1/wallets/${id}/holds`, { key: 'silent-3', body: { ...entry, expiresAt } }],
    ]
    // What nobody answers, and nobody says is lost: only time tells.
    line.stall()
    const answers = await Promise.all(calls.map((call) => post(...call)))
    for (const answer of answers) if (answer.status !== 201) expectUnavailable(answer)
    expect(answers.map(({ status }) => status)).toContain(503)
    await eventually(
      'all of them go through',
      async () => (await Promise.all(calls.map((call) => post(...call)))).every(({ status }) => status === 201),
      30_000,
    )
    // A connection of the reads may have been silenced too.
    await eventually('all is there once', async () => {
      if ((await test.call('GET', `/v1/wallets/${id}/verify`)).status === 503) return false
      expect(await books(id)).toEqual({ version: 5, balance: '10000', held: '100' })
      return true
    })
  }, 90_000)

  it('loss of all connections ends in 503, and what was acknowledged has happened once', async () => {
    const id = await test.wallet('cable', 1_000)
    const acknowledged = new Set<string>()
    const unsure = new Set<string>()
    const debit = async (key: string) => {
      const answer = await post(`/v1/wallets/${id}/debits`, { key, body: { amount: inr(0.01), reference: 'r' } })
      if (answer.status !== 201) return expectUnavailable(answer)
      acknowledged.add(key)
      unsure.delete(key)
    }
    for (let round = 0; round < 6; round++) {
      const keys = Array.from({ length: 20 }, (_, at) => `cable-${round}-${at}`)
      for (const key of keys) unsure.add(key)
      const sent = keys.map(debit)
      // At another moment of the batch each time.
      await new Promise((resolve) => setTimeout(resolve, round * 2))
      line.cut()
      await Promise.all(sent)
      line.mend()
    }
    expect(unsure.size).toBeGreaterThan(0)
    // On a busy machine a call may be told more than once to come again, while the connections are made anew.
    for (let attempt = 0; attempt < 100 && unsure.size > 0; attempt++) await Promise.all([...unsure].map(debit))
    expect([unsure.size, acknowledged.size]).toEqual([0, 120])
    expect(await books(id)).toEqual({ version: 122, balance: String(100_000 - 120), held: '0' })
  })
})
