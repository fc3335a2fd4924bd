import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { openEventStore, type EventStore } from '#event-store'
import { isRefusal, paise, systemClock, systemIds } from '#kernel'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type { WalletCommand } from '#wallet'
import type pg from 'pg'
import { invariants } from './invariants.js'
import { migrations } from './migrations.js'
import { publishWallet } from './publish.js'
import { Rules } from './rules.js'
import { streamTypes, walletRef, walletStreamName } from './streams.js'

const rules = new Rules([], systemClock, systemIds)
const types = streamTypes.map((type) => ({ ...type, snapshotEvery: 5 }))

let database: TestDatabase
let pool: pg.Pool
const stores: EventStore[] = []

const open = async (): Promise<EventStore> => {
  const store = await openEventStore({ pool, postgres: database, types, publish: publishWallet, clock: systemClock, app: 'wallet' })
  stores.push(store)
  return store
}

beforeAll(async () => {
  database = await createTestDatabase(migrations)
  pool = createPool(database)
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await pool?.end()
  await database?.drop()
})

const send = async (store: EventStore, walletId: string, command: WalletCommand): Promise<void> => {
  const id = systemIds.next()
  const wallet = walletRef(walletId)
  await store.execute({
    id,
    fingerprint: id,
    streams: [wallet],
    metadata: { actor: 'test', correlationId: id, causationId: id },
    decide: (states) => {
      const decided = rules.wallet.decide(command, states.of(wallet).state)
      if (isRefusal(decided)) throw new Error(decided.slug)
      return { appends: [{ stream: wallet, events: decided }], answer: '' }
    },
  })
}
const moved = (type: 'credit' | 'debit', amount: bigint): WalletCommand => ({
  type,
  at_ms: systemClock.now(),
  entryId: systemIds.next(),
  amount: paise(amount),
  reference: 'r',
})
/** What does not hold, by the invariant. */
const broken = async (): Promise<Readonly<Record<string, readonly string[]>>> => {
  const told: Record<string, readonly string[]> = {}
  for (const { name, violations } of invariants) {
    const found = await violations(pool)
    if (found.length > 0) told[name] = found.toSorted()
  }
  return told
}

it('are not held where a decision was made on a snapshot that somebody changed: each wallet is named', async () => {
  const store = await open()
  const [richer, freer, honest] = [systemIds.next(), systemIds.next(), systemIds.next()]
  for (const walletId of [richer, freer, honest]) {
    await send(store, walletId, { type: 'open', at_ms: systemClock.now(), ownerId: walletId, kyc: 'full' })
    const hold = { holdId: 'h', amount: paise(400n), reference: 'r', madeBy: 'sub:test' } as const
    await send(store, walletId, moved('credit', 500n))
    await send(store, walletId, { type: 'hold', at_ms: systemClock.now(), ...hold })
    for (let round = 0; round < 3; round++) await send(store, walletId, moved('debit', 1n))
  }
  const all = [richer, freer, honest].map(walletStreamName)
  const snapshots = () => pool.query<{ stream_id: string; state: Buffer }>('SELECT stream_id, state FROM snapshots')
  await eventually('the snapshots are taken', async () => (await snapshots()).rowCount === all.length)
  const change = async (walletId: string, to: object) => {
    const stream = walletStreamName(walletId)
    const { state } = (await snapshots()).rows.find(({ stream_id }) => stream_id === stream) ?? {}
    const changed = { ...(JSON.parse(String(state)) as object), ...to }
    await pool.query('UPDATE snapshots SET state = $2 WHERE stream_id = $1', [stream, Buffer.from(JSON.stringify(changed))])
  }
  await change(richer, { balance: '99999' })
  await change(freer, { held: '0', holds: [] })
  expect(await broken()).toEqual({})

  // As another process decides, that has no state of them yet.
  const fresh = await open()
  await send(fresh, richer, moved('debit', 50_000n))
  await send(fresh, freer, moved('debit', 450n))
  await send(fresh, honest, moved('debit', 50n))
  // The chains are whole, and so are the books, which write each movement on both sides.
  expect(await broken()).toEqual({ 'balances-follow': [richer, freer].map(walletStreamName).sort() })
})
