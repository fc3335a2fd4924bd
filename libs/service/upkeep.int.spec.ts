import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, readCheckpoint, verifyAll, type EventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { archiveOld, keepCheckpoint, publicLine, signingKey } from './upkeep.js'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const noteType = {
  category: 'note',
  initialState: { closed: false },
  evolve: (state: { closed: boolean }, { type }: { type: string }) => (type === 'Closed' ? { closed: true } : state),
  closed: ({ closed }: { closed: boolean }) => closed,
  snapshotEvery: 0,
}

let database: TestDatabase
let pool: pg.Pool
let store: EventStore
let folder: string
const place = () => ({ name: 'notes', DATABASE_URL: database.url, DATABASE_SCHEMA: database.schema })

const note = (id: string, ...types: readonly string[]) =>
  store.execute({
    id: `${id} ${types.join()}`,
    fingerprint: 'f',
    streams: [{ type: noteType, id }],
    metadata: { actor: 'tester', correlationId: 'c', causationId: 'x' },
    decide: () => ({ appends: [{ stream: { type: noteType, id }, events: types.map((type) => ({ type, data: {} })) }], answer: '' }),
  })
const lines = async function* (file: string) {
  yield* readFileSync(file, 'utf8').split('\n')
}
/** As `bahi events verify` does: first the signature to its end, then the heads. */
const verified = async (file: string) => {
  const all = readCheckpoint(lines(file), publicKey)
  for (;;) if ((await all.next()).done) break
  return verifyAll(pool, readCheckpoint(lines(file), publicKey))
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bahi-upkeep-'))
  database = await createTestDatabase(eventStoreMigrations)
  pool = createPool(database)
  await pool.query('UPDATE store SET partition_size = 4, position = partitioned_to - 1')
  const types = [noteType] as never
  store = await openEventStore({ pool, postgres: database, types, publish: () => [], clock: systemClock, app: 'test' })
  await note('one', 'Written', 'Written')
  await note('two', 'Written', 'Closed')
})
afterAll(async () => {
  await store.close()
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true })
})

describe('what an app’s store is given once a day', () => {
  it('is a signed checkpoint in a folder of its own, of which the newest stay; with it a chain that was rewritten whole is found', async () => {
    const files: string[] = []
    for (const day of [1, 2, 3, 4]) {
      const clock = { now: () => Date.UTC(2026, 10, day) }
      const { file, streams } = await keepCheckpoint(place(), signingKey(pem), { folder, keep: 2, clock })
      expect([streams, statSync(file).mode & 0o777]).toEqual([2, 0o600])
      files.push(file)
    }
    expect(readdirSync(folder).map((name) => join(folder, name))).toEqual(files.slice(2))
    const newest = files.at(-1) ?? ''
    expect((await verified(newest)).faults).toEqual([])

    // Cut back to its first event, with a head that fits: whole, but not what was signed.
    await pool.query('CREATE TABLE kept AS TABLE streams')
    await pool.query(
      `UPDATE streams s SET version = 1, head = e.hash FROM events e WHERE e.stream_id = 'note-one' AND e.version = 1 AND s.stream_id = e.stream_id`,
    )
    await pool.query(`CREATE TABLE lost AS SELECT * FROM events WHERE stream_id = 'note-one' AND version = 2`)
    await pool.query(`DELETE FROM events WHERE stream_id = 'note-one' AND version = 2`)
    expect((await verifyAll(pool)).faults).toEqual([])
    expect((await verified(newest)).faults).toEqual([expect.objectContaining({ stream: 'note-one' })])
    await pool.query('INSERT INTO events SELECT * FROM lost')
    await pool.query(`UPDATE streams s SET version = k.version, head = k.head FROM kept k WHERE k.stream_id = s.stream_id`)
    expect((await verified(newest)).faults).toEqual([])
  })

  it('leaves nothing half written behind, and does not write over another', async () => {
    const before = readdirSync(folder)
    const clock = { now: () => Date.UTC(2026, 10, 5) }
    const nowhere = { ...place(), DATABASE_SCHEMA: 'nothing_here' }
    await expect(keepCheckpoint(nowhere, signingKey(pem), { folder, keep: 2, clock })).rejects.toThrow(/does not exist/)
    expect(readdirSync(folder)).toEqual(before)
    await expect(keepCheckpoint(place(), signingKey(pem), { folder: join(folder, 'no'), keep: 2, clock })).rejects.toThrow(/ENOENT/)
    expect(existsSync(join(folder, 'no'))).toBe(false)
  })

  it('takes the key as PEM or as its middle line, and says nothing of what it is given instead', () => {
    const middle = pem.split('\n')[1] ?? ''
    expect(publicLine(signingKey(middle))).toBe(publicLine(signingKey(pem)))
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    for (const wrong of ['secret-hunter2', rsa]) expect(() => signingKey(wrong)).toThrow(/^CHECKPOINT_KEY: must be an Ed25519 key: openssl/)
  })

  it('is also the archiving of closed streams that have grown old', async () => {
    for (const each of ['three', 'four', 'five']) await note(each, 'Written', 'Closed')
    await pool.query('UPDATE relay SET position = (SELECT position FROM store)')
    const done: string[] = []
    const run = (idleDays: number) =>
      archiveOld(place(), [noteType] as never, {
        idleDays,
        signal: new AbortController().signal,
        onArchived: ({ partition, streams }) => void done.push(`${partition}: ${streams}`),
        onUnreadable: () => undefined,
      })
    await run(90)
    expect((await pool.query('SELECT FROM streams WHERE archive IS NOT NULL')).rowCount).toBe(0)
    await run(0)
    expect((await pool.query('SELECT FROM streams WHERE archive IS NOT NULL')).rowCount).toBeGreaterThan(0)
    expect(done.length).toBeGreaterThan(0)
    expect((await verified(join(folder, readdirSync(folder).at(-1) ?? ''))).faults).toEqual([])
  })
})
