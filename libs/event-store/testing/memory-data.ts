import { randomUUID } from 'node:crypto'
import type { CheckedCommand, Decided, StreamEntry } from '../append/decide.js'
import type { StoredMessage } from '../relay/publish.js'
import type { EventRow } from '../reading/recorded.js'
import type { StreamRef } from '../store.js'

export interface StoredAnswer {
  readonly fingerprint: string
  readonly answer: string
}

/**
 * What a store keeps, apart from what runs on it: it outlives a crash. Any number of running stores may share one, as processes share a
 * database.
 */
export class MemoryStoreData {
  readonly events: EventRow[] = []
  readonly streams = new Map<string, EventRow[]>()
  readonly commands = new Map<string, StoredAnswer>()
  readonly messages: StoredMessage[] = []
  readonly relay: { position: bigint; epoch: bigint; owner: string | undefined; log: string | undefined; leaseUntil_ms: number } = {
    position: 0n,
    epoch: 0n,
    owner: undefined,
    log: undefined,
    leaseUntil_ms: -Infinity,
  }
  readonly #bells = new Set<() => void>()
  #position = 0n
  #lock: { readonly holder: object; readonly released: Promise<void>; release(): void } | undefined

  constructor(readonly incarnation: string = randomUUID()) {}

  /** Ends what a killed process had begun: its lock is free, its bells are silent, and its open transactions cannot commit any more. */
  crash(): void {
    this.#bells.clear()
    const lock = this.#lock
    this.#lock = undefined
    lock?.release()
  }

  isLockedBy(holder: object): boolean {
    return this.#lock?.holder === holder
  }

  /** The store's one lock, held by a transaction from its first command to its end. */
  async lock(holder: object): Promise<void> {
    await this.unlocked(holder)
    if (this.#lock) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#lock = { holder, released: promise, release: resolve }
  }

  async unlocked(except?: object): Promise<void> {
    while (this.#lock && this.#lock.holder !== except) await this.#lock.released
  }

  get isLocked(): boolean {
    return this.#lock !== undefined
  }

  unlock(holder: object): void {
    const lock = this.#lock
    if (lock?.holder !== holder) return
    this.#lock = undefined
    lock.release()
  }

  onRing(ring: () => void): () => void {
    this.#bells.add(ring)
    return () => this.#bells.delete(ring)
  }

  write(work: readonly Written[]): void {
    for (const { checked, decided, at_ms } of work) {
      for (const event of decided.events) this.#append(event)
      if (decided.messages.length > 0) {
        const position = ++this.#position
        for (const { message, payload } of decided.messages) {
          // As it comes back from a database: a value of its own, not the sender's object.
          const data = JSON.parse(payload.toString()) as typeof message.data
          this.messages.push({ position, time: at_ms, message: { ...message, data } })
        }
      }
      if (!checked.command.unkept)
        this.commands.set(checked.command.id, { fingerprint: checked.command.fingerprint, answer: decided.answer })
    }
    for (const ring of this.#bells) queueMicrotask(ring)
  }

  #append(event: Decided['events'][number]): void {
    const stream = this.streams.get(event.stream) ?? []
    if (event.version !== stream.length + 1) throw new Error(`${event.stream} moved on while a transaction held it`)
    const row: EventRow = {
      position: ++this.#position,
      stream_id: event.stream,
      version: BigInt(event.version),
      type: event.type,
      schema_version: event.schemaVersion,
      payload: event.payload,
      metadata: event.metadata,
      hash: event.hash,
      recorded_at: BigInt(event.time),
    }
    this.events.push(row)
    stream.push(row)
    this.streams.set(event.stream, stream)
  }
}

/** A decided command on its way into the data. */
export interface Written {
  readonly checked: CheckedCommand
  readonly decided: Decided
  readonly at_ms: number
}

/** What a transaction has decided and not committed: it sees it, nobody else does. */
export class Uncommitted {
  readonly #work: Written[] = []
  readonly #entries = new Map<string, StreamEntry>()
  readonly #answers = new Map<string, StoredAnswer>()

  constructor(
    private readonly data: MemoryStoreData,
    private readonly stored: (stream: string, ref: StreamRef) => StreamEntry,
  ) {}

  entryOf(stream: string, ref: StreamRef): StreamEntry {
    return this.#entries.get(stream) ?? this.stored(stream, ref)
  }

  answerOf(id: string): StoredAnswer | undefined {
    return this.#answers.get(id) ?? this.data.commands.get(id)
  }

  add(written: Written): void {
    const { checked, decided } = written
    this.#work.push(written)
    for (const [stream, entry] of decided.after) this.#entries.set(stream, entry)
    this.#answers.set(checked.command.id, { fingerprint: checked.command.fingerprint, answer: decided.answer })
  }

  commit(): ReadonlyMap<string, StreamEntry> {
    this.data.write(this.#work)
    return this.#entries
  }
}
