import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CreditLoad, WALLET_COMMANDS } from '#contracts'
import { exportEvents, masterKeysOf, pgSubjectKeys, sealedText, SUBJECT_KEYS_SCHEMA, verifyAll, type SubjectKeys } from '#event-store'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { encodeMessage } from '#messaging'
import { fingerprint } from '#platform'
import { createPool } from '#postgres'
import type pg from 'pg'
import { inr, startTestWallet, type TestWallet } from './testing/test-app.js'

let test: TestWallet
let pool: pg.Pool
let keysPool: pg.Pool
let keys: SubjectKeys

beforeAll(async () => {
  test = await startTestWallet()
  pool = createPool({ url: test.databaseUrl, schema: 'wallet', applicationName: 'test', maxConnections: 2 })
  keysPool = createPool({ url: test.databaseUrl, schema: SUBJECT_KEYS_SCHEMA, applicationName: 'test', maxConnections: 1 })
  keys = pgSubjectKeys(keysPool, masterKeysOf(test.config.MASTER_KEY), systemClock)
})
afterAll(async () => {
  await keysPool?.end()
  await pool?.end()
  await test?.close()
})

/** Every row of every table of the database, the log's and the keys' too, as text; bytes are read as UTF-8 where they are such. */
const everythingStored = async (): Promise<string> => {
  const { rows: tables } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const texts: string[] = []
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
    for (const { row } of rows)
      texts.push(row, ...[...row.matchAll(/\\x([0-9a-f]{8,})/g)].map(([, hex]) => Buffer.from(hex ?? '', 'hex').toString()))
  }
  return texts.join('\n')
}
const exported = async (): Promise<readonly string[]> => {
  const lines: string[] = []
  await exportEvents(pool, async (line) => void lines.push(line))
  return lines
}
const encodings = (key: Uint8Array): readonly string[] =>
  (['hex', 'base64url', 'base64'] as const).map((encoding) => Buffer.from(key).toString(encoding).replace(/=+$/, ''))
const events = async (walletId: string) => {
  const items: Record<string, unknown>[] = []
  for (let cursor = ''; ;) {
    const page = await test.call('GET', `/v1/wallets/${walletId}/events?limit=100${cursor}`, { as: ['audit', 'auditor'] })
    expect(page.status).toBe(200)
    items.push(...(page.at('items') as Record<string, unknown>[]))
    const next = page.at('nextCursor')
    if (typeof next !== 'string') return items
    cursor = `&cursor=${next}`
  }
}

describe('erasing the owner of a wallet', () => {
  const personal = ['asha.rao@okbank', 'Asha Rao', '98450 12345']
  const why = 'Asha Rao rang from 98450 12345: her phone was stolen'

  it('leaves nothing that shows or opens what was personal: not in events, snapshots, answers, messages, dead letters or exports', async () => {
    const walletId = await test.wallet('asha', 1_000)
    const other = await test.wallet('bina', 10)
    const load = {
      as: ['asha', 'customer'] as const,
      key: 'load-1',
      body: { amount: inr(500), payment: { method: 'upi', vpa: 'asha.rao@okbank' } },
    }
    const first = await test.call('POST', `/v1/wallets/${walletId}/loads`, load)
    expect(first.status).toBe(202)
    for (const how of ['freeze', 'unfreeze'])
      expect((await test.call('POST', `/v1/wallets/${walletId}/${how}`, { key: how, body: { reason: why } })).status).toBe(200)
    // So many that there is a snapshot.
    for (let wave = 0; wave < 11; wave++) {
      const credit = (at: number) => ({ body: { amount: inr(1), reference: `c-${wave}-${at}` } })
      const moves = Array.from({ length: 46 }, (_, at) => test.call('POST', `/v1/wallets/${walletId}/credits`, credit(at)))
      expect(new Set((await Promise.all(moves)).map(({ status }) => status))).toEqual(new Set([201]))
    }
    await eventually(
      'a snapshot',
      async () => (await pool.query('SELECT FROM snapshots WHERE stream_id = $1', [`wallet-${walletId}`])).rowCount === 1,
    )
    // A message that its consumer cannot take, with what was sealed in it: set aside, to end as a dead letter.
    const requested = (await exported())
      .map((line) => JSON.parse(line) as { type: string; payload: string })
      .find(({ type }) => type === 'LoadRequested')
    const sealed = sealedText((JSON.parse(requested?.payload ?? '{}') as { payment: Record<string, unknown> }).payment['instrument'])
    expect(sealed?.subject).toBe('asha')
    const producer = await test.driver.producer()
    const poison = {
      topic: WALLET_COMMANDS,
      key: walletId,
      type: CreditLoad.type,
      schemaVersion: 1,
      data: { sealed: { ...sealed } },
      context: { correlationId: 'c', causationId: 'x' },
    }
    await producer.send([encodeMessage(poison, 'payment-saga', Date.now(), { incarnation: 'saga-store', position: 1n, ordinal: 0 })])
    await producer.close()
    await eventually(
      'it is set aside',
      async () => ((await pool.query('SELECT FROM deferred UNION ALL SELECT FROM dead_letter')).rowCount ?? 0) > 0,
    )

    const { key } = await keys.forSubject('asha')
    const { rows } = await keysPool.query<{ wrapped_key: Buffer }>(`SELECT wrapped_key FROM subject_keys WHERE subject = 'asha'`)
    const before = await everythingStored()
    expect(before.split(`"ciphertext":"${sealed?.ciphertext}"`).length).toBeGreaterThan(3)
    for (const text of [...personal, ...encodings(key)])
      expect([before.includes(text), (await exported()).join('\n').includes(text)]).toEqual([false, false])
    expect((await events(walletId)).flatMap(({ reason }) => reason ?? [])).toEqual([why, why])
    const books = await test.call('GET', '/v1/wallets/trial-balance')

    expect(await keys.erase('asha')).toBe(true)

    const after = await everythingStored()
    // Of a body all of which but a few digits is known, a plain hash would tell those.
    expect(after).not.toContain(fingerprint(load.body))
    for (const text of [...personal, ...encodings(key), ...rows.flatMap(({ wrapped_key }) => encodings(wrapped_key))])
      expect([after.includes(text), (await exported()).join('\n').includes(text)]).toEqual([false, false])
    expect(await keys.openAll(sealed ? [sealed] : [])).toEqual([undefined])
    // What the process itself remembers of keys is over in seconds.
    await eventually('the reasons are gone', async () => (await events(walletId)).every(({ reason }) => reason === null))
    expect((await events(walletId)).map(({ type, by }) => `${String(type)} by ${String(by)}`)).toContain('WalletFrozen by ops')
    // Repeats are answered as at first; the answer held nothing in the clear.
    const again = await test.call('POST', `/v1/wallets/${walletId}/freeze`, { key: 'freeze', body: { reason: why } })
    expect([again.status, again.headers['idempotency-replayed'], again.text.includes('Asha')]).toEqual([200, 'true', false])
    expect(await test.call('POST', `/v1/wallets/${walletId}/loads`, load)).toMatchObject({ status: 403 })

    // The ledger: the same books, and the wallet can still be used, moved out of, frozen and closed.
    expect((await test.call('GET', '/v1/wallets/trial-balance')).text).toBe(books.text)
    const transfer = {
      as: ['asha', 'customer'] as const,
      body: { fromWalletId: walletId, toWalletId: other, amount: inr(5), reference: 'r' },
    }
    expect((await test.call('POST', '/v1/transfers', transfer)).status).toBe(201)
    const frozen = await test.call('POST', `/v1/wallets/${walletId}/freeze`, { body: { reason: why } })
    expect([frozen.status, frozen.at('status')]).toEqual([200, 'FROZEN'])
    expect((await everythingStored()).includes('Asha Rao')).toBe(false)
    expect((await test.call('GET', `/v1/wallets/${walletId}/verify`, { as: ['audit', 'auditor'] })).at('ok')).toBe(true)
    expect((await verifyAll(pool)).faults).toEqual([])
    expect((await test.call('GET', '/v1/wallets/trial-balance')).text).toContain('"amount":"0"')
  })

  it('is read as before where a reason was written in the clear, by an older version', async () => {
    const walletId = await test.wallet('older', 10)
    const { rows } = await pool.query<{ metadata: Buffer }>('SELECT metadata FROM events WHERE stream_id = $1 AND version = 1', [
      `wallet-${walletId}`,
    ])
    const metadata = JSON.stringify({ ...(JSON.parse(String(rows[0]?.metadata)) as object), reason: 'as it was' })
    await pool.query('UPDATE events SET metadata = $2 WHERE stream_id = $1 AND version = 1', [`wallet-${walletId}`, Buffer.from(metadata)])
    expect((await events(walletId))[0]).toMatchObject({ reason: 'as it was' })
  })
})
