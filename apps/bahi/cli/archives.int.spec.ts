import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, type DomainEvent, type EventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { freshWalletRef, streamTypes, walletRef } from '../../wallet/streams.js'
import type { Io } from './io.js'
import { runProgram } from './program.js'
import * as events from './verbs/events.js'

let database: TestDatabase
let pool: pg.Pool
let store: EventStore

const bahi = async (...words: readonly string[]) => {
  const out: string[] = []
  const said: string[] = []
  const io: Io = {
    out: async (line) => void out.push(line),
    say: (line) => void said.push(line),
    env: {},
    signal: new AbortController().signal,
    exitCode: 0,
  }
  await runProgram([events], io, ['events', ...words, '--url', database.url, '--schema', database.schema])
  return { code: io.exitCode, out, said: said.join('\n'), objects: () => out.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

const append = (id: string, ...appended: readonly DomainEvent[]) =>
  store.execute({
    id: `${id}-${appended.map(({ type }) => type).join()}`,
    fingerprint: 'f',
    streams: [freshWalletRef(id)],
    metadata: { actor: 'tester', correlationId: 'c', causationId: 'x' },
    decide: () => ({ appends: [{ stream: walletRef(id), events: appended }], answer: '' }),
  })
const after = { ownerId: 'o', balance: '0', held: '0' }
const opened: DomainEvent = { type: 'WalletOpened', data: { ...after, kyc: 'small', status: 'OPEN', at_ms: 1 } }
const closed: DomainEvent = { type: 'WalletClosed', data: { ...after, status: 'CLOSED', at_ms: 2 } }

beforeAll(async () => {
  database = await createTestDatabase(eventStoreMigrations)
  pool = createPool(database)
  // Partitions of four positions each; the first is taken to be full.
  await pool.query('UPDATE store SET partition_size = 4, position = partitioned_to - 1')
  store = await openEventStore({
    pool,
    postgres: database,
    types: streamTypes as never,
    publish: () => [],
    clock: systemClock,
    app: 'test',
  })
  await append('w-1', opened)
  await append('w-2', opened, closed)
  await append('w-3', opened)
  await append('w-4', opened, closed)
  await pool.query('UPDATE relay SET position = (SELECT position FROM store)')
})
afterAll(async () => {
  await store.close()
  await pool.end()
  await database.drop()
})

describe('bahi events', () => {
  it('says what would be archived, and leaves alone what is not old enough', async () => {
    expect((await bahi('archive')).out).toEqual(['events_0: 0 streams archived, 0 events moved forward'])
    expect(await bahi('archive')).toMatchObject({ code: 0, out: [], said: expect.stringContaining('90 days') })
    const dry = await bahi('archive', '--idle-days', '0', '--dry-run', '--json')
    expect(dry.objects()).toContainEqual({
      partition: expect.stringMatching(/^events_[1-9]/),
      streams: 1,
      moved: 2,
      unreadable: 0,
      dryRun: true,
    })
    expect((await pool.query('SELECT FROM streams WHERE archive IS NOT NULL')).rowCount).toBe(0)
  })

  it('archives closed streams, lists the archive, verifies as before, and brings a stream back', async () => {
    const before = await bahi('read', '--json')
    const archived = await bahi('archive', '--idle-days', '0')
    expect(archived.out).toContainEqual(expect.stringMatching(/^events_[1-9]\d*: 1 streams archived, 2 events moved forward$/))
    const listed = (await bahi('partitions', '--json')).objects()
    const archive = listed.find(({ archivedAt }) => archivedAt !== undefined)
    expect(archive).toMatchObject({ name: expect.stringMatching(/^events_/), size_bytes: expect.any(Number) })
    expect((await bahi('partitions')).out.some((line) => / kB {2}archived \d{4}-/.test(line))).toBe(true)
    expect((await bahi('verify', '--json')).objects()).toMatchObject([{ ok: true, streams: 4, events: 6, elsewhere: 0 }])
    expect((await bahi('read', '--json')).out).toEqual(before.out)
    expect((await bahi('restore', 'wallet-w-2')).out).toEqual([`wallet-w-2 is back from ${String(archive?.['name'])}`])
    expect((await bahi('restore', 'wallet-w-2', '--json')).objects()).toEqual([{ stream: 'wallet-w-2', restored: false }])
    expect((await bahi('verify')).code).toBe(0)
  })

  it('refuses to restore what is not there, and says which table is missing', async () => {
    expect(await bahi('restore', 'wallet-none')).toMatchObject({ code: 1, said: 'bahi: there is no stream wallet-none' })
    await pool.query(`UPDATE streams SET archive = 'events_elsewhere' WHERE stream_id = 'wallet-w-4'`)
    expect(await bahi('restore', 'wallet-w-4')).toMatchObject({ code: 1, said: expect.stringContaining('events_elsewhere') })
  })

  it('explains itself', async () => {
    const { out } = await bahi('archive', '--help')
    expect(out.join('\n')).toMatch(/--json[\s\S]*--idle-days[\s\S]*--dry-run/)
  })
})
