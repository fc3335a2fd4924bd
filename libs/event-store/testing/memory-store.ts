import type { Clock, Outbox, Transaction } from '#kernel'
import { asMemory } from '#kernel/testing'
import { checkCommand, decideOn, emptyEntry, evolve, type CheckedCommand, type StreamEntry } from '../append/decide.js'
import { NO_HASH } from '../integrity/hash-chain.js'
import { mergeEntries } from '../relay/publish.js'
import { verifyChain } from '../reading/reader.js'
import { toRecorded, type EventRow } from '../reading/recorded.js'
import { parseObject } from '../reading/rows.js'
import {
  CommandIdReused,
  StoreUnavailable,
  type Answered,
  type Command,
  type EventStore,
  type Publisher,
  type ReadAll,
  type ReadStream,
  type StreamRef,
  type StreamState,
} from '../store.js'
import { registeredRef, streamName, typeOfStream, typesByCategory, upcastData, type AnyStreamType, type StreamTypes } from '../stream.js'
import { MemoryStoreData, Uncommitted } from './memory-data.js'

export interface MemoryEventStoreOptions {
  readonly types: readonly AnyStreamType[]
  readonly publish: Publisher
  readonly clock: Clock
  readonly app: string
  /** What an earlier store, or another one running, keeps. New and empty unless given. */
  readonly data?: MemoryStoreData
}

/**
 * The event store for simulations and tests: the same semantics, no timers and no I/O. What it keeps is `data`; after a crash a new one is
 * made over the same (see `MemoryStoreData.crash`). A command is decided and written within the call, unless a transaction holds the store.
 */
export const memoryEventStore = (options: MemoryEventStoreOptions): MemoryEventStore => new MemoryEventStore(options)

export class MemoryEventStore implements EventStore {
  readonly data: MemoryStoreData
  readonly incarnation: string
  readonly outbox: Outbox
  readonly #types
  readonly #states = new Map<string, StreamEntry>()
  readonly #open = new WeakMap<Transaction, Uncommitted>()
  #closed = false

  constructor(private readonly options: MemoryEventStoreOptions) {
    this.data = options.data ?? new MemoryStoreData()
    this.incarnation = this.data.incarnation
    this.#types = typesByCategory(options.types)
    this.outbox = memoryOutbox(this.data, this.#types, options)
  }

  async execute(command: Command): Promise<Answered> {
    if (this.#closed) throw new StoreUnavailable('the event store is closed')
    const checked = checkCommand(command, this.#types)
    if (this.data.isLocked) await this.data.unlocked()
    const uncommitted = this.#begin()
    const answered = this.#executeOne(checked, uncommitted)
    this.#commit(uncommitted)
    return answered
  }

  async executeAll(commands: readonly Command[], tx: Transaction): Promise<readonly Answered[]> {
    const memory = asMemory(tx)
    const checked = commands.map((command) => checkCommand(command, this.#types))
    let uncommitted = this.#open.get(tx)
    if (!uncommitted) {
      await this.data.lock(tx)
      const begun = (uncommitted = this.#begin())
      this.#open.set(tx, begun)
      memory.onCommit(() => {
        if (!this.data.isLockedBy(tx)) throw new StoreUnavailable('the process of this transaction was killed')
        this.#commit(begun)
        this.data.unlock(tx)
      })
      memory.onRollback?.(() => this.data.unlock(tx))
    }
    const into = uncommitted
    return checked.map((each) => this.#executeOne(each, into))
  }

  #begin(): Uncommitted {
    return new Uncommitted(this.data, (stream, ref) => this.#stored(stream, ref))
  }

  #executeOne(checked: CheckedCommand, uncommitted: Uncommitted): Answered {
    const { id, fingerprint } = checked.command
    const before = uncommitted.answerOf(id)
    if (before && before.fingerprint !== fingerprint) throw new CommandIdReused(id)
    if (before) return { answer: before.answer, replayed: true }
    const at_ms = this.options.clock.now()
    const decided = decideOn(checked, (stream, ref) => uncommitted.entryOf(stream, ref), at_ms)
    uncommitted.add({ checked, decided, at_ms })
    return { answer: decided.answer, replayed: false }
  }

  #commit(uncommitted: Uncommitted): void {
    for (const [stream, entry] of uncommitted.commit()) this.#states.set(stream, entry)
  }

  /** The state as stored; what this instance remembers counts as long as its head is still the stream's. */
  #stored(stream: string, ref: StreamRef): StreamEntry {
    const rows = this.data.streams.get(stream) ?? []
    const known = this.#states.get(stream)
    const head = rows.at(-1)?.hash ?? NO_HASH
    if (known?.head.equals(head)) return known
    const entry = foldStored(ref, rows)
    this.#states.set(stream, entry)
    return entry
  }

  async load<State>(ref: StreamRef<State>): Promise<StreamState<State>> {
    const { version, state } = this.#stored(streamName(ref), registeredRef(this.#types, ref))
    return { version, state: state as State }
  }

  async loadAt<State>(ref: StreamRef<State>, at: { readonly version: number } | { readonly time: number }): Promise<StreamState<State>> {
    const rows = this.data.streams.get(streamName(ref)) ?? []
    const seen = 'version' in at ? rows.slice(0, at.version) : rows.filter(({ recorded_at }) => recorded_at <= at.time)
    const { version, state } = foldStored(registeredRef(this.#types, ref), seen)
    return { version, state: state as State }
  }

  async *readStream(stream: string, { from = 1, to = Infinity, until = Infinity, limit = Infinity }: ReadStream = {}) {
    const rows = this.data.streams.get(stream) ?? []
    const wanted = rows.slice(from - 1, to).filter(({ recorded_at }) => recorded_at <= until)
    for (const row of wanted.slice(0, limit)) yield toRecorded(this.#types, row)
  }

  async *readAll({ after = 0n, until = Infinity, category, limit = Infinity, follow }: ReadAll = {}) {
    let left = limit
    for (let at = 0; left > 0; at++) {
      while (at >= this.data.events.length) if (!follow || !(await this.#appended(follow))) return
      const row = this.data.events[at]
      if (!row) return
      if (
        row.position <= after ||
        row.recorded_at > until ||
        (category !== undefined && typeOfStream(this.#types, row.stream_id)?.category !== category)
      )
        continue
      left--
      yield toRecorded(this.#types, row)
    }
  }

  /** False when it was aborted first. */
  #appended(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false)
      const end = (appended: boolean) => {
        off()
        resolve(appended)
      }
      const off = this.data.onRing(() => end(true))
      signal.addEventListener('abort', () => end(false), { once: true })
    })
  }

  async verify(stream: string) {
    const rows = this.data.streams.get(stream) ?? []
    const each = async function* () {
      yield* rows
    }
    return verifyChain(each(), { version: rows.length, hash: rows.at(-1)?.hash ?? NO_HASH })
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

const foldStored = (ref: StreamRef, rows: readonly EventRow[]): StreamEntry => {
  let entry = emptyEntry(ref.type as AnyStreamType)
  for (const row of rows) {
    const state = evolve(ref, entry.state, {
      type: row.type,
      data: upcastData(ref.type, row.type, row.schema_version, parseObject(row.payload)),
    })
    entry = { version: Number(row.version), state, head: row.hash, time: Number(row.recorded_at) }
  }
  return entry
}

const memoryOutbox = (data: MemoryStoreData, types: StreamTypes, { clock, publish }: MemoryEventStoreOptions): Outbox => ({
  incarnation: data.incarnation,

  async after(position, limit, to) {
    if (to !== undefined && to !== data.relay.log) return []
    const events = firstAfter(data.events, position, limit).map((row) => toRecorded(types, row))
    const messages = data.messages.filter((message) => message.position > position)
    return mergeEntries(events, messages, publish, limit)
  },

  async lease(owner, ttl_ms, to) {
    const { relay } = data
    if (relay.log !== undefined && relay.log !== to) return undefined
    if (relay.owner !== owner && clock.now() <= relay.leaseUntil_ms) return undefined
    if (relay.owner !== owner) relay.epoch++
    relay.owner = owner
    relay.log = to
    relay.leaseUntil_ms = clock.now() + ttl_ms
    return { epoch: relay.epoch, position: relay.position }
  },

  async advance(epoch, position) {
    const { relay } = data
    if (relay.epoch !== epoch || relay.owner === undefined) return false
    if (position > relay.position) relay.position = position
    return true
  },

  async release(epoch) {
    const { relay } = data
    if (relay.epoch !== epoch) return
    relay.owner = undefined
    relay.leaseUntil_ms = -Infinity
  },

  async onDoorbell(ring) {
    const off = data.onRing(ring)
    queueMicrotask(ring)
    return {
      async close() {
        off()
      },
    }
  },
})

/** Positions grow along the array: halve it rather than walk it. */
const firstAfter = (rows: readonly EventRow[], position: bigint, limit: number): readonly EventRow[] => {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle]?.position ?? 0n) <= position) low = middle + 1
    else high = middle
  }
  return rows.slice(low, low + limit)
}
