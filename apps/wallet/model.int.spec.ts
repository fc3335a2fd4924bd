import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openEventStore, StoreUnavailable, type Command, type EventStore, type RecordedEvent } from '#event-store'
import { isRefusal, systemClock, systemIds, type Refusal } from '#kernel'
import { Problem } from '#platform'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { balanceOf, decideTransfer, noWallet, type Books, type WalletEvent, type WalletState } from '#wallet'
import {
  aimed,
  commandOf,
  free,
  LOW_LIMITS,
  NAMES,
  OPENED_AS,
  plainWallets,
  take,
  transferOf,
  WALKS_BEGIN_MS,
  waves,
  type Name,
  type PlainWallet,
  type PlainWallets,
  type Step,
} from '#wallet/testing'
import fc from 'fast-check'
import type pg from 'pg'
import { pgFoldedBooks } from './books/pg-folded-books.js'
import { TrialBalances } from './books/trial-balances.js'
import { invariants } from './invariants.js'
import { migrations } from './migrations.js'
import { publishWallet } from './publish.js'
import { WalletReads } from './reads.js'
import { Rules } from './rules.js'
import { streamTypes, walletRef } from './streams.js'

/** Of each kind; thousands in CI. */
const SEQUENCES = Number(process.env['MODEL_SEQUENCES'] ?? 100)
const SIDE_BY_SIDE = 50
const TIMEOUT_MS = 60_000 + SEQUENCES * 100

/** What a command was answered: whether it was taken, and the version of each wallet that it was decided on and that it left. */
interface Told {
  readonly took: boolean
  readonly on: Partial<Record<Name, number>>
  readonly left: Partial<Record<Name, number>>
}

const rules = new Rules(LOW_LIMITS, systemClock, systemIds)

let database: TestDatabase
let pool: pg.Pool
let instances: readonly [EventStore, EventStore]
let conflicts = 0
/** So often that most loads begin with a snapshot. */
const types = streamTypes.map((type) => ({ ...type, snapshotEvery: 5 }))
const open = () =>
  openEventStore({
    pool,
    postgres: database,
    types,
    publish: publishWallet,
    clock: systemClock,
    app: 'wallet',
    onBatch: (report) => (conflicts += report.refused),
  })

beforeAll(async () => {
  database = await createTestDatabase(migrations)
  pool = createPool(database)
  instances = [await open(), await open()]
})
afterAll(async () => {
  await Promise.all(instances?.map((instance) => instance.close()) ?? [])
  await pool?.end()
  await database?.drop()
})

/** As a caller does: what a busy machine has no time for just now is sent again, under its id. */
const carriedThrough = async (store: EventStore, command: Command): ReturnType<EventStore['execute']> => {
  for (let tries = 1; ; tries++)
    try {
      return await store.execute(command)
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || tries === 50) throw error
    }
}

/** Three wallets of one walk. */
class Walk {
  static #walks = 0
  readonly #number = ++Walk.#walks
  #commands = 0

  idOf = (name: Name): string => `walk-${this.#number}-${name}`

  async begin(): Promise<this> {
    const at_ms = WALKS_BEGIN_MS
    const open = (name: Name) =>
      this.#execute(instances[0], [name], ([state = noWallet]) => {
        const decided = rules.wallet.decide({ type: 'open', at_ms, ownerId: name, kyc: OPENED_AS[name] }, state)
        return isRefusal(decided) ? decided : [decided]
      })
    await Promise.all(NAMES.map(open))
    return this
  }

  /**
   * As the app's handlers do it, with the versions in the answer. `again` sends it through the other instance too, which must give the same
   * answer and, once there is one, must not read any older wallet than it left.
   */
  async send(step: Step, via: 0 | 1, again: boolean): Promise<{ readonly id: string; readonly told: Told }> {
    const names = step.do === 'transfer' && step.to !== step.on ? [step.on, step.to] : [step.on]
    const decide = (states: readonly WalletState[], id: string) => decideStep(step, states, id, this.idOf)
    const first = this.#execute(instances[via], names, decide)
    if (!again) return first
    const { id, command } = first
    const other = instances[via === 0 ? 1 : 0]
    const [{ told }, { answer }] = await Promise.all([first, carriedThrough(other, command)])
    expect(answer).toBe(JSON.stringify(told))
    for (const name of names)
      expect((await other.load(walletRef(this.idOf(name)))).version).toBeGreaterThanOrEqual(told.left[name] ?? Infinity)
    return { id, told }
  }

  #execute(
    store: EventStore,
    names: readonly Name[],
    decide: (states: readonly WalletState[], id: string) => Refusal | readonly (readonly WalletEvent[])[],
  ): Promise<{ readonly id: string; readonly told: Told }> & { readonly id: string; readonly command: Command } {
    const id = `walk-${this.#number}-${++this.#commands}`
    const refs = names.map((name) => walletRef(this.idOf(name)))
    const command: Command = {
      id,
      fingerprint: id,
      streams: refs,
      metadata: { actor: 'walker', correlationId: id, causationId: id },
      decide: (states) => {
        const loaded = refs.map((ref) => states.of(ref))
        const decided = decide(
          loaded.map(({ state }) => state),
          id,
        )
        const appends = refs.map((stream, at) => ({ stream, events: isRefusal(decided) ? [] : (decided[at] ?? []) }))
        const on = Object.fromEntries(names.map((name, at) => [name, loaded[at]?.version ?? 0]))
        const left = Object.fromEntries(names.map((name, at) => [name, (on[name] ?? 0) + (appends[at]?.events.length ?? 0)]))
        return { appends, answer: JSON.stringify({ took: !isRefusal(decided), on, left } satisfies Told) }
      },
    }
    const told = carriedThrough(store, command).then(({ answer }) => ({ id, told: JSON.parse(answer) as Told }))
    return Object.assign(told, { id, command })
  }

  async events(): Promise<readonly RecordedEvent[]> {
    const streams = await Promise.all(NAMES.map((name) => Array.fromAsync(instances[0].readStream(`wallet-${this.idOf(name)}`))))
    return streams.flat().sort((one, other) => (one.position < other.position ? -1 : 1))
  }
}

const decideStep = (step: Step, states: readonly WalletState[], id: string, idOf: (name: Name) => string) => {
  const [from, to = from] = states
  if (!from || !to) throw new Error('a step reads a wallet')
  if (step.do !== 'transfer') {
    const decided = rules.wallet.decide(commandOf(step, id, idOf), from)
    return isRefusal(decided) ? decided : [decided]
  }
  const decided = decideTransfer(transferOf(step, id, idOf), from, to, rules.limitsAt)
  return isRefusal(decided) ? decided : [decided.out, decided.in]
}

/** The stored wallets are the plain ones, to the paisa, read by a process that has seen nothing of it. */
const expectSame = async (walk: Walk, plain: PlainWallets): Promise<void> => {
  const reads = new WalletReads(fresh)
  for (const name of NAMES) {
    const { state } = await reads.now(walk.idOf(name))
    const { balance, kyc, closed, frozen } = plain[name]
    const status = closed ? 'CLOSED' : frozen ? 'FROZEN' : 'OPEN'
    expect([name, Number(state.balance), Number(state.balance - state.held), state.kyc, state.status]).toEqual([
      name,
      balance,
      free(plain[name]),
      kyc,
      status,
    ])
    expect(await reads.verify(walk.idOf(name))).toMatchObject({ ok: true, faults: [] })
  }
}
let fresh: EventStore

/** Counted with a pause now and then, as for any caller: what came before is kept. */
const countedBooks = async (): Promise<Books> => {
  const balances = new TrialBalances(instances[1], pgFoldedBooks(pool), systemClock)
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      return (await balances.now()).books
    } catch (error) {
      if (!(error instanceof Problem && error.slug === 'still-folding')) throw error
    }
  }
  throw new Error('the books are not counted to their end')
}

const expectBooks = async (): Promise<void> => {
  const books = await countedBooks()
  expect(Object.values(books).reduce((sum, each) => sum + balanceOf(each), 0n)).toBe(0n)
  expect(balanceOf(books.transfers)).toBe(0n)
  const { rows } = await pool.query<{ sum: string }>(
    `SELECT sum((data ->> 'balance')::numeric)::text AS sum
     FROM (SELECT DISTINCT ON (stream_id) data FROM readable_events ORDER BY stream_id, version DESC) AS last`,
  )
  expect(balanceOf(books.wallets).toString()).toBe(rows[0]?.sum)
  for (const { name, violations } of invariants) expect([name, await violations(pool)]).toEqual([name, []])
}

describe('wallets on PostgreSQL, against a plain model', () => {
  beforeAll(async () => {
    fresh = await open()
  })
  afterAll(() => fresh?.close())

  it(
    'one step after another: every answer is the model’s, in walks side by side',
    async () => {
      const steps = waves({ minWaves: 1, maxWaves: 16, maxSteps: 1 })
      await sideBySide(steps, async (walk, all, number) => {
        const plain = plainWallets(WALKS_BEGIN_MS)
        for (const [at, drawn] of all.flat().entries()) {
          const step = aimed(plain, drawn)
          const expected = take(plain, step, LOW_LIMITS)
          const { told } = await walk.send(step, ((at + number) % 2) as 0 | 1, at % 5 === 0)
          expect([at, step, told.took]).toEqual([at, step, expected])
        }
        await expectSame(walk, plain)
      })
      await expectBooks()
    },
    TIMEOUT_MS,
  )

  it(
    'many at once through two instances: the history explains every answer',
    async () => {
      conflicts = 0
      await sideBySide(waves({ minWaves: 2, maxWaves: 4, maxSteps: 16 }), async (walk, all) => {
        const asked = new Map<string, Step>()
        const answers = new Map<string, Told>()
        for (const wave of all) {
          await Promise.all(
            wave.map(async (step, at) => {
              const { id, told } = await walk.send(step, (at % 2) as 0 | 1, at % 7 === 0)
              asked.set(id, step)
              answers.set(id, told)
            }),
          )
        }
        await explain(walk, asked, answers)
      })
      // Without conflicts between the two this would show little.
      expect(conflicts).toBeGreaterThan(0)
      await expectBooks()
    },
    TIMEOUT_MS,
  )
})

/** As many walks at once as make the commands of different wallets meet in one batch. */
const sideBySide = <Steps>(
  steps: fc.Arbitrary<Steps>,
  walked: (walk: Walk, steps: Steps, number: number) => Promise<void>,
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: SIDE_BY_SIDE, maxLength: SIDE_BY_SIDE }), async (walks) => {
      await Promise.all(walks.map(async (each, number) => walked(await new Walk().begin(), each, number)))
    }),
    { numRuns: Math.ceil(SEQUENCES / SIDE_BY_SIDE), endOnFailure: true },
  )

/**
 * Goes through the events in the order of their commits and does each command to the model, which must take it; then asks the model about
 * every command that changed nothing, on the versions that it says it was decided on.
 */
const explain = async (walk: Walk, asked: ReadonlyMap<string, Step>, answers: ReadonlyMap<string, Told>): Promise<void> => {
  const plain = plainWallets(WALKS_BEGIN_MS)
  const past: Record<Name, PlainWallet[]> = { a: [], b: [], c: [] }
  /** The model's wallets by version; an event that ends a pair (a close and its pay-out) stands for both. */
  const note = (name: Name, version: number) => (past[name][version] = structuredClone(plain[name]))
  const done = new Set<string>()
  for (const { stream, version, metadata } of await walk.events()) {
    const name = NAMES.find((each) => stream === `wallet-${walk.idOf(each)}`)
    if (!name) throw new Error(`whose is ${stream}?`)
    const step = asked.get(metadata.commandId)
    if (step && !done.has(metadata.commandId)) {
      expect([metadata.commandId, step, take(plain, step, LOW_LIMITS)]).toEqual([metadata.commandId, step, true])
      done.add(metadata.commandId)
    }
    note(name, version)
  }
  for (const [id, step] of asked) {
    const told = answers.get(id)
    if (done.has(id)) {
      expect([id, told?.took]).toEqual([id, true])
      continue
    }
    const then = plainWallets(WALKS_BEGIN_MS)
    for (const name of NAMES) {
      const version = told?.on[name]
      if (version !== undefined) then[name] = structuredClone(past[name][version] ?? then[name])
    }
    expect([id, step, take(then, step, LOW_LIMITS)]).toEqual([id, step, told?.took])
  }
  await expectSame(walk, plain)
}
