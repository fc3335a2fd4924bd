import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  eventStoreMigrations,
  masterKeysOf,
  openEventStore,
  pgSubjectKeys,
  seal,
  SUBJECT_KEYS_SCHEMA,
  subjectKeyMigrations,
  type EventStore,
  type StreamType,
} from '#event-store'
import { systemClock } from '#kernel'
import { createPool, migrate } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { ownerDecider, type OwnerState } from '#wallet'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { streamTypes } from '../../wallet/streams.js'
import type { Io } from './io.js'
import { runProgram } from './program.js'
import * as events from './verbs/events.js'
import * as persons from './verbs/persons.js'

const folder = mkdtempSync(join(tmpdir(), 'bahi-cli-'))
const file = (name: string) => join(folder, name)
const owner = (id: string) => ({ type: streamTypes[1] as unknown as StreamType<OwnerState, never>, id })

interface Ran {
  readonly code: number
  readonly out: readonly string[]
  readonly said: string
}

let source: TestDatabase
let target: TestDatabase
let pool: pg.Pool
let store: EventStore

/** `stopAt`: Ctrl-C after so many lines. */
const bahi = async (words: readonly string[], { env = {}, stopAt = Infinity }: { env?: Io['env']; stopAt?: number } = {}): Promise<Ran> => {
  const out: string[] = []
  const said: string[] = []
  const stop = new AbortController()
  const io: Io = {
    out: async (line) => {
      if (out.push(line) >= stopAt) stop.abort()
    },
    say: (line) => void said.push(line),
    env,
    signal: stop.signal,
    exitCode: 0,
  }
  await runProgram([events, persons], io, words)
  return { code: io.exitCode, out, said: said.join('\n') }
}
const at = (place: TestDatabase, ...more: string[]): string[] => ['--url', place.url, '--schema', place.schema, ...more]
const objects = ({ out }: Ran) => out.map((line) => JSON.parse(line) as Record<string, unknown>)

const open = (types: readonly unknown[]) =>
  openEventStore({ pool, postgres: source, types: types as never, publish: () => [], clock: systemClock, app: 'test' })

let commands = 0
const assign = (id: string, type: 'assign' | 'give-up', walletId = 'w-1', by = store) =>
  by.execute({
    id: `c-${++commands}`,
    fingerprint: 'f',
    streams: [owner(id)],
    metadata: { actor: 'tester', correlationId: 'c', causationId: 'x' },
    decide: (states) => {
      const decided = ownerDecider.decide({ type, walletId, at_ms: 1 }, states.of(owner(id)).state)
      return { appends: [{ stream: owner(id), events: Array.isArray(decided) ? decided : [] }], answer: '' }
    },
  })

beforeAll(async () => {
  ;[source, target] = [await createTestDatabase(eventStoreMigrations), await createTestDatabase(eventStoreMigrations)]
  await migrate({ url: source.url, schema: SUBJECT_KEYS_SCHEMA, migrations: subjectKeyMigrations })
  pool = createPool(source)
  store = await open(streamTypes)
  await assign('one', 'assign')
  await assign('two', 'assign', 'w-2')
  await assign('one', 'give-up')
})
afterAll(async () => {
  await store.close()
  await pool.end()
  await source.drop()
  await target.drop()
  rmSync(folder, { recursive: true })
})

describe('bahi events', () => {
  it('renews the incarnation of a store that was restored, not while a process publishes', async () => {
    const renewed = await bahi(['events', 'renew', ...at(target, '--json')])
    const [{ app, before, after } = {}] = objects(renewed)
    expect([app, String(after) > String(before)]).toEqual(['wallet', true])
    const own = createPool(target)
    await own.query(`UPDATE relay SET owner = 'another', lease_until = now() + interval '1 hour'`)
    const refused = await bahi(['events', 'renew', ...at(target)])
    await own.query(`UPDATE relay SET owner = NULL, lease_until = '-infinity'`)
    expect([refused.code, refused.out, refused.said]).toEqual([
      1,
      [],
      expect.stringMatching(/a process of the app publishes.*stop it, and ask again after/),
    ])
    const kept = await own.query<{ incarnation: string }>('SELECT incarnation FROM store')
    expect(kept.rows[0]?.incarnation).toBe(after)
    await own.query(`UPDATE store SET incarnation = 'ffffffff-ffff-7fff-bfff-ffffffffffff'`)
    expect((await bahi(['events', 'renew', ...at(target)])).said).toContain('clock of this PostgreSQL is behind')
    await own.query('UPDATE store SET incarnation = $1', [after])
    await own.end()
  })

  it('lists streams', async () => {
    const ran = await bahi(['events', 'streams', ...at(source, '--json', '--category', 'wallet-owner')])
    expect(objects(ran).map(({ stream, version }) => [stream, version])).toEqual([
      ['wallet-owner-one', 2],
      ['wallet-owner-two', 1],
    ])
    expect((await bahi(['events', 'streams', ...at(source, '--limit', '1')])).out).toEqual([
      expect.stringMatching(/Z +2 {2}wallet-owner-one$/),
    ])
  })

  it('reads a stream between versions, and all in commit order', async () => {
    const one = await bahi(['events', 'read', 'wallet-owner-one', ...at(source, '--from', '2')])
    expect(one.out).toEqual([expect.stringMatching(/wallet-owner-one@2 {2}WalletGivenUp {2}\{.*"w-1".*\} {2}by tester$/)])
    const all = objects(await bahi(['events', 'read', ...at(source, '--json')]))
    expect(all.map(({ stream }) => stream)).toEqual(['wallet-owner-one', 'wallet-owner-two', 'wallet-owner-one'])
    expect((await bahi(['events', 'read', ...at(source, '--until', '2020-01-01T00:00:00Z')])).out).toEqual([])
  })

  it('follows what is appended until it is stopped', async () => {
    const following = bahi(['events', 'follow', ...at(source, '--json', '--after', '2')], { stopAt: 2 })
    await assign('two', 'give-up', 'w-2')
    expect(objects(await following).map(({ stream, version }) => [stream, version])).toEqual([
      ['wallet-owner-one', 2],
      ['wallet-owner-two', 2],
    ])
  })

  it('compares two versions of a state', async () => {
    expect((await bahi(['events', 'diff', 'wallet-owner-one', '1', '2', ...at(source)])).out).toEqual([
      '/closedWalletId: null -> "w-1"',
      '/walletId: "w-1" -> null',
    ])
    expect(await bahi(['events', 'diff', 'nothing-1', '1', '2', ...at(source)])).toMatchObject({
      code: 1,
      said: expect.stringContaining('no category'),
    })
  })

  describe('with a checkpoint', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    writeFileSync(file('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(file('public.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
    const against = (name: string) => ['--checkpoint', file(name), '--public-key', file('public.pem')]

    it('writes one, and verifies against it; what is wrong ends with exit code 1', async () => {
      const made = await bahi(['events', 'checkpoint', ...at(source, '--json', '--key', file('key.pem'), '--out', file('heads'))])
      expect(objects(made)).toEqual([expect.objectContaining({ streams: 2, root: expect.stringMatching(/^[0-9a-f]{64}$/) })])
      const verified = await bahi(['events', 'verify', ...at(source, '--json', ...against('heads'))])
      expect([verified.code, ...objects(verified)]).toEqual([0, expect.objectContaining({ ok: true, streams: 2, events: 4, faults: [] })])
      expect((await bahi(['events', 'verify', 'wallet-owner-one', ...at(source)])).out).toEqual(['wallet-owner-one: ok: 2 events'])

      await pool.query(`UPDATE streams SET category = 'wallet' WHERE stream_id = 'wallet-owner-one'`)
      const hidden = await bahi(['events', 'verify', ...at(source)])
      expect([hidden.code, hidden.out[0]]).toEqual([1, 'wallet-owner-one: other-category at version 2'])
      await pool.query(`UPDATE streams SET category = 'wallet-owner' WHERE stream_id = 'wallet-owner-one'`)

      const { rows } = await pool.query<{ before: string }>('UPDATE store SET incarnation = uuidv7() RETURNING old.incarnation AS before')
      const renewed = await bahi(['events', 'verify', ...at(source, ...against('heads'))])
      expect([renewed.code, renewed.out.at(-2)]).toEqual([
        0,
        expect.stringContaining(`the checkpoint is of incarnation ${rows[0]?.before}, `),
      ])
      await pool.query('UPDATE store SET incarnation = $1', [rows[0]?.before])

      await pool.query(`INSERT INTO partitions VALUES ('events_lost', 0, 1, 0)`)
      const lost = await bahi(['events', 'verify', ...at(source, ...against('heads'))])
      expect([lost.code, lost.out.at(-2)]).toEqual([0, expect.stringMatching(/^taken out since the checkpoint.*: events_lost\./)])
      await pool.query(`DELETE FROM partitions WHERE name = 'events_lost'`)

      await pool.query(`CREATE TABLE kept AS SELECT * FROM events WHERE stream_id = 'wallet-owner-two'`)
      await pool.query(`DELETE FROM events WHERE stream_id = 'wallet-owner-two' AND version = 1`)
      const broken = await bahi(['events', 'verify', ...at(source, ...against('heads'))])
      expect([broken.code, broken.out[0]]).toEqual([1, 'wallet-owner-two: broken at version 1'])
      await pool.query('INSERT INTO events SELECT * FROM kept WHERE version = 1')
      expect((await bahi(['events', 'verify', ...at(source)])).code).toBe(0)
    })

    it('refuses one that was changed, and what is no key', async () => {
      writeFileSync(file('changed'), readFileSync(file('heads'), 'utf8').replace('wallet-owner-one', 'wallet-owner-0ne'))
      const changed = await bahi(['events', 'verify', ...at(source, ...against('changed'))])
      expect([changed.code, changed.said]).toEqual([1, 'bahi: the heads are not those that were signed'])
      const noKey = await bahi(['events', 'checkpoint', ...at(source, '--key', file('heads'), '--out', file('other'))])
      expect([noKey.code, noKey.said]).toEqual([1, `bahi: ${file('heads')} is not an Ed25519 key in PEM`])
    })
  })

  it('exports to a file of the owner’s alone and imports into an empty store, once', async () => {
    const all = '4 events, 4 answers to commands'
    await pool.query('UPDATE relay SET position = (SELECT position FROM store)')
    expect(await bahi(['events', 'export', ...at(source, '--out', file('sent'))])).toEqual({ code: 0, out: [all], said: '' })
    await pool.query('UPDATE relay SET position = (SELECT position - 1 FROM store)')
    expect((await bahi(['events', 'export', ...at(source)])).said).toContain('had not passed 1 of the events, nor 0 messages')
    expect((await bahi(['events', 'export', ...at(source, '--out', file('all'))])).out).toEqual([all])
    expect(statSync(file('all')).mode & 0o777).toBe(0o600)
    expect((await bahi(['events', 'import', file('all'), ...at(target)])).out).toEqual([all])
    expect((await bahi(['events', 'export', ...at(target)])).out.join('\n')).toBe(readFileSync(file('all'), 'utf8').trimEnd())
    const again = await bahi(['events', 'import', file('all'), ...at(target)])
    expect([again.code, again.said]).toEqual([1, 'bahi: the store is not empty'])
    const overwritten = await bahi(['events', 'export', ...at(source, '--out', file('all'))])
    expect([overwritten.code, overwritten.said]).toEqual([1, `bahi: cannot write ${file('all')} (EEXIST)`])
  })

  it('folds a stream again, and tells where its snapshots say otherwise', async () => {
    const snapping = await open(streamTypes.map((type) => ({ ...type, snapshotEvery: 1 })))
    await assign('three', 'assign', 'w-3', snapping)
    await assign('three', 'give-up', 'w-3', snapping)
    // Closed when its snapshots are taken.
    await snapping.close()
    const replay = (...more: string[]) => bahi(['events', 'replay', 'wallet-owner-three', ...at(source, ...more)])
    expect(await replay()).toEqual({ code: 0, out: ['version 2: the same'], said: '' })
    expect(objects(await replay('--json'))).toEqual([{ stream: 'wallet-owner-three', version: 2, differences: [] }])
    await pool.query(
      `UPDATE snapshots SET state = convert_to('{"walletId":"w-9","closedWalletId":"w-3"}', 'UTF8') WHERE stream_id = 'wallet-owner-three'`,
    )
    expect((await replay()).out).toEqual(['version 2: /walletId: "w-9" -> null'])
    expect(objects(await replay('--json'))).toEqual([
      { stream: 'wallet-owner-three', version: 2, differences: [{ path: '/walletId', before: 'w-9', after: null }] },
    ])
    expect((await bahi(['events', 'replay', 'wallet-owner-one', ...at(source)])).said).toContain('has no snapshot')
  })

  it.each([
    [['events', 'read', '--limit', 'many'], /'many' is invalid.*whole number/],
    [['events', 'read', '--app', 'nobody'], /Allowed choices are order-command/],
    [['events', 'read', '--home', '/nowhere'], /nothing was started from \/nowhere/],
    [['events', 'frobnicate'], /unknown command 'frobnicate'/],
    [['events', 'verify', '--checkpoint', 'x', '--url', 'postgres://127.0.0.1:1/x'], /needs --public-key/],
  ])('says in a line what is wrong with %j', async (words, said) => {
    const ran = await bahi(words)
    expect([ran.code, ran.out]).toEqual([1, []])
    expect(ran.said).toMatch(said)
  })

  it('explains itself, and shows no password', async () => {
    const { out, code } = await bahi(['events', 'read', '--help'], { env: { DATABASE_URL: 'postgres://a:hunter2@b/c' } })
    expect([code, out.join('\n')]).toEqual([0, expect.stringMatching(/--json[^]*--until/)])
    expect(out.join('\n')).not.toContain('hunter2')
  })
})

describe('bahi persons', () => {
  let orders: TestDatabase
  const env = () => ({
    KEYS_DATABASE_URL: source.url,
    DATABASE_URL: orders.url,
    MASTER_KEY: 'y'.repeat(43),
    MASTER_KEYS_BEFORE: 'o'.repeat(43),
  })
  let keyPool: pg.Pool
  beforeAll(async () => {
    keyPool = createPool({ ...source, schema: SUBJECT_KEYS_SCHEMA, maxConnections: 1 })
    orders = await createTestDatabase(eventStoreMigrations, 'order_command')
  })
  afterAll(async () => {
    await keyPool.end()
    await orders.drop()
  })
  let ran: Ran | undefined
  beforeEach(() => (ran = undefined))

  it('wraps keys by the new master key, and erases a person who is meant', async () => {
    const before = pgSubjectKeys(keyPool, masterKeysOf('o'.repeat(43)), systemClock)
    const sealed = [seal(await before.forSubject('c-1'), 'text')]
    ran = await bahi(['persons', 'rewrap', '--json'], { env: env() })
    expect([ran.code, ...objects(ran)]).toEqual([0, { rewrapped: 1 }])
    const after = () => pgSubjectKeys(keyPool, masterKeysOf('y'.repeat(43)), systemClock).openAll(sealed)
    expect(await after()).toEqual(['text'])
    ran = await bahi(['persons', 'erase', 'c-1'], { env: env() })
    expect([ran.code, ran.said, await after()]).toEqual([1, 'bahi: erasing c-1 cannot be undone: say --yes', ['text']])
    // The reason was left out, and would be this.
    ran = await bahi(['persons', 'erase', 'c-1', '--yes', '--reason', '--json'], { env: env() })
    expect([ran.code, ran.said, await after()]).toEqual([1, expect.stringContaining('It is a text of 1 to 500 characters'), ['text']])
    ran = await bahi(['persons', 'erase', 'c-1', '--yes', '--json'], { env: env() })
    expect([ran.code, ...objects(ran), await after()]).toEqual([0, { subject: 'c-1', erased: true }, [undefined]])
    expect((await bahi(['persons', 'erase', 'c-1', '--yes'], { env: env() })).out).toEqual(['was erased before'])
    // Each with its entry in the audit trail, before it was done; of what was not done, for want of --yes, none.
    const trail = objects(await bahi(['events', 'read', `audit-${userInfo().username}`, '--app', 'order-command', ...at(orders, '--json')]))
    const { roles, status } = { roles: ['console'], status: 202 }
    const erased = { action: 'bahi persons erase', path: 'persons/c-1', roles, status }
    expect(trail.map(({ data }) => data)).toEqual([{ action: 'bahi persons rewrap', path: 'persons', roles, status }, erased, erased])
  })
})
