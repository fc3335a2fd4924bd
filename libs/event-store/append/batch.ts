import type { QueryConfig } from 'pg'
import { BigintArray, BooleanArray, ByteaArray, IntegerArray, TextArray } from '../reading/binary-array.js'
import { decideOn, type CheckedCommand, type Decided, type StreamEntry } from './decide.js'
import { foldRows, groupByOrdinal, type Query, type StoreRow } from '../reading/rows.js'
import type { StreamRef } from '../store.js'

/** A stream in a batch: as it was decided on first, and as the batch's commands leave it. */
interface BatchStream {
  readonly index: number
  readonly ref: StreamRef
  readonly base: StreamEntry
  current: StreamEntry
  grown_bytes: number
}

/** What the store says of one command of a batch. */
export type Verdict =
  | { readonly kind: 'written'; readonly answer: string }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** `asDecided`: the answer kept is the one decided now, as it is when a batch is sent again after its first answer was lost. */
  | { readonly kind: 'repeated'; readonly fingerprint: string; readonly answer: string; readonly asDecided: boolean }
  | { readonly kind: 'refused' }

export interface StreamUpdate {
  readonly stream: string
  readonly ref: StreamRef
  /** Undefined: what is known of it is wrong, load it again. */
  readonly entry: StreamEntry | undefined
  /** What the batch was decided on. */
  readonly base: StreamEntry
  readonly grown_bytes: number
}

export interface BatchOutcome {
  /** In the order the commands were added. */
  readonly verdicts: readonly Verdict[]
  readonly updates: readonly StreamUpdate[]
}

type Decision = { readonly decided: Decided } | { readonly error: unknown }

/** Commands decided one after another, each on the states that those before it left, on their way to `append_commands`. */
export class AppendBatch {
  readonly #streams = new Map<string, BatchStream>()
  readonly #decisions: { readonly checked: CheckedCommand; readonly decision: Decision }[] = []
  #bytes = 0

  constructor(
    private readonly entryOf: (stream: string, ref: StreamRef) => StreamEntry,
    private readonly now_ms: number,
  ) {}

  get length(): number {
    return this.#decisions.length
  }

  /** Bytes of payload so far. */
  get bytes(): number {
    return this.#bytes
  }

  decide(checked: CheckedCommand): void {
    const decision = this.#attempt(checked)
    this.#decisions.push({ checked, decision })
    if ('error' in decision) return
    const { events, messages, after } = decision.decided
    for (const event of events) {
      const stream = this.#streams.get(event.stream)
      if (stream) stream.grown_bytes += event.payload.length
      this.#bytes += event.payload.length + event.metadata.length
    }
    for (const message of messages) this.#bytes += message.payload.length
    for (const [name, entry] of after) {
      const stream = this.#streams.get(name)
      if (stream) stream.current = entry
    }
  }

  #attempt(checked: CheckedCommand): Decision {
    for (const [name, ref] of checked.streams) {
      if (this.#streams.has(name)) continue
      const base = this.entryOf(name, ref)
      this.#streams.set(name, { index: this.#streams.size + 1, ref, base, current: base, grown_bytes: 0 })
    }
    try {
      const decided = decideOn(checked, (name, ref) => this.#streams.get(name)?.current ?? this.entryOf(name, ref), this.now_ms)
      return { decided }
    } catch (error) {
      return { error }
    }
  }

  /** Writes what was decided, in one trip; two where a lone command was not as it was decided on. Answers the rows for `outcome`. */
  async send(db: Query): Promise<readonly StoreRow[]> {
    const lone = this.#loneQuery()
    if (lone && typeof (await db.query<{ before: bigint | null }>(lone)).rows[0]?.before === 'bigint') return []
    return (await db.query<StoreRow>({ name: 'append_commands', text: TEXT, values: this.#values() })).rows
  }

  #loneQuery(): QueryConfig | undefined {
    const [only] = this.#decisions
    const [stream] = this.#streams.values()
    if (this.#decisions.length !== 1 || this.#streams.size !== 1 || !only || !stream || 'error' in only.decision) return undefined
    const { command } = only.checked
    const { events, messages, answer } = only.decision.decided
    const [event] = events
    if (events.length !== 1 || messages.length > 0 || !event || stream.base.version === 0) return undefined
    const { type, schemaVersion, payload, metadata, hash, time } = event
    const { version, head } = stream.base
    const values = [
      command.id,
      command.fingerprint,
      command.unkept ? null : Buffer.from(answer),
      event.stream,
      version,
      head,
      type,
      schemaVersion,
      payload,
      metadata,
      hash,
      time,
    ]
    return { name: 'append_command', text: LONE_TEXT, values: [...values, 1, this.now_ms] }
  }

  /** Writes everything, or fails with a division by zero. */
  queryOfAll(): QueryConfig {
    return { name: 'append_all_commands', text: TEXT_OF_ALL, values: this.#values() }
  }

  #values(): unknown[] {
    const command = { ids: new TextArray(), fingerprints: new TextArray(), answers: new ByteaArray() }
    const guard = { commands: new IntegerArray(), streams: new IntegerArray(), appends: new BooleanArray() }
    const event = new EventColumns()
    const message = new MessageColumns()
    let slot = 0
    this.#decisions.forEach(({ checked, decision }, at) => {
      const ordinal = at + 1
      const decided = 'decided' in decision ? decision.decided : undefined
      command.ids.push(checked.command.id)
      command.fingerprints.push(checked.command.fingerprint)
      if (decided && !checked.command.unkept) command.answers.push(Buffer.from(decided.answer))
      else command.answers.pushNull()
      for (const name of checked.streams.keys()) {
        guard.commands.push(ordinal)
        guard.streams.push(this.#streams.get(name)?.index ?? 0)
        guard.appends.push(decided?.after.has(name) ?? false)
      }
      if (!decided) return
      for (const each of decided.events) event.push(ordinal, ++slot, each)
      // A command's messages share one position; their ordinals order them.
      if (decided.messages.length > 0) ++slot
      decided.messages.forEach((each, index) => message.push(ordinal, slot, index, each))
    })
    const columns = [...Object.values(command), ...this.#streamColumns(), ...Object.values(guard), ...event.columns(), ...message.columns()]
    return [...columns.map((column) => column.toBuffer()), slot, this.now_ms]
  }

  #streamColumns() {
    const [ids, categories] = [new TextArray(), new TextArray()]
    const [baseVersions, baseHeads] = [new BigintArray(), new ByteaArray()]
    const [nextVersions, nextHeads, nextTimes] = [new BigintArray(), new ByteaArray(), new BigintArray()]
    for (const [name, { ref, base, current }] of this.#streams) {
      ids.push(name)
      categories.push(ref.type.category)
      baseVersions.push(base.version)
      baseHeads.push(base.head)
      nextVersions.push(current.version)
      nextHeads.push(current.head)
      nextTimes.push(current.time)
    }
    return [ids, categories, baseVersions, baseHeads, nextVersions, nextHeads, nextTimes]
  }

  /** A stream as it is when all of the batch is written; undefined where the batch does not append to it. */
  presumed(stream: string): StreamEntry | undefined {
    const known = this.#streams.get(stream)
    return known && known.current !== known.base ? known.current : undefined
  }

  /** What the function's rows mean for each command, and what is now known of each stream. */
  outcome(rows: readonly StoreRow[]): BatchOutcome {
    const dropped = new Map(rows.filter(({ r_kind }) => r_kind <= 2).map((row) => [row.r_ordinal, row]))
    const verdicts = this.#decisions.map(({ decision }, at): Verdict => {
      const row = dropped.get(at + 1)
      if (row?.r_kind === 1) {
        const answer = (row.r_bytes ?? '').toString()
        return {
          kind: 'repeated',
          fingerprint: row.r_type ?? '',
          answer,
          asDecided: 'decided' in decision && decision.decided.answer === answer,
        }
      }
      if (row) return { kind: 'refused' }
      return 'error' in decision ? { kind: 'threw', error: decision.error } : { kind: 'written', answer: decision.decided.answer }
    })
    const changed = groupByOrdinal(rows.filter(({ r_kind }) => r_kind >= 3))
    const updates: StreamUpdate[] = []
    for (const [stream, { index, ref, base, current, grown_bytes }] of this.#streams) {
      const tail = changed.get(index)
      if (tail) {
        updates.push({ stream, ref, entry: headOf(ref, base, tail), base, grown_bytes })
      } else if (current !== base) updates.push({ stream, ref, entry: current, base, grown_bytes })
    }
    return { verdicts, updates }
  }

  /** All that its commands read. */
  streams(): Iterable<string> {
    return this.#streams.keys()
  }
}

/** Undefined where the tail is not all of it, and where it cannot be read: whoever loads that stream is told, and the other commands are not held up by it. */
const headOf = (ref: StreamRef, base: StreamEntry, tail: readonly StoreRow[]): StreamEntry | undefined => {
  try {
    const { complete, entry } = foldRows(ref, base, tail)
    return complete ? entry : undefined
  } catch {
    return undefined
  }
}

class EventColumns {
  readonly #commands = new IntegerArray()
  readonly #slots = new IntegerArray()
  readonly #streams = new TextArray()
  readonly #versions = new BigintArray()
  readonly #types = new TextArray()
  readonly #schemas = new IntegerArray()
  readonly #payloads = new ByteaArray()
  readonly #metadatas = new ByteaArray()
  readonly #hashes = new ByteaArray()
  readonly #times = new BigintArray()

  push(command: number, slot: number, event: Decided['events'][number]): void {
    this.#commands.push(command)
    this.#slots.push(slot)
    this.#streams.push(event.stream)
    this.#versions.push(event.version)
    this.#types.push(event.type)
    this.#schemas.push(event.schemaVersion)
    this.#payloads.push(event.payload)
    this.#metadatas.push(event.metadata)
    this.#hashes.push(event.hash)
    this.#times.push(event.time)
  }

  columns() {
    const [commands, slots, streams, versions, types] = [this.#commands, this.#slots, this.#streams, this.#versions, this.#types]
    return [commands, slots, streams, versions, types, this.#schemas, this.#payloads, this.#metadatas, this.#hashes, this.#times]
  }
}

class MessageColumns {
  readonly #commands = new IntegerArray()
  readonly #slots = new IntegerArray()
  readonly #ordinals = new IntegerArray()
  readonly #topics = new TextArray()
  readonly #keys = new TextArray()
  readonly #types = new TextArray()
  readonly #schemas = new IntegerArray()
  readonly #ids = new TextArray()
  readonly #payloads = new ByteaArray()
  readonly #contexts = new ByteaArray()

  push(command: number, slot: number, ordinal: number, { message, payload, context }: Decided['messages'][number]): void {
    this.#commands.push(command)
    this.#slots.push(slot)
    this.#ordinals.push(ordinal)
    this.#topics.push(message.topic)
    this.#keys.push(message.key)
    this.#types.push(message.type)
    this.#schemas.push(message.schemaVersion)
    if (message.id === undefined) this.#ids.pushNull()
    else this.#ids.push(message.id)
    this.#payloads.push(payload)
    this.#contexts.push(context)
  }

  columns() {
    const [commands, slots, ordinals, topics, keys] = [this.#commands, this.#slots, this.#ordinals, this.#topics, this.#keys]
    return [commands, slots, ordinals, topics, keys, this.#types, this.#schemas, this.#ids, this.#payloads, this.#contexts]
  }
}

const CALL = `append_commands(${Array.from({ length: 35 }, (_, at) => `$${at + 1}`).join(', ')})`
const TEXT = `SELECT * FROM ${CALL}`
/** A row says that something was not written: then it divides by zero, which nothing can follow but a rollback. */
const TEXT_OF_ALL = `SELECT 1 / (count(*) = 0)::integer FROM ${CALL}`
const LONE_TEXT = `SELECT append_command(${Array.from({ length: 14 }, (_, at) => `$${at + 1}`).join(', ')}) AS before`
