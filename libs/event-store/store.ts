import type { JsonObject, MessageContext, Outbox, OutgoingMessage, Transaction } from '#kernel'
import type { EventTypes } from './event-types.js'
import type { SealedText } from './keys/subject-keys.js'

/** Versions count a stream's events from 1; 0 is a stream that is not there. */
export type StreamVersion = number

/**
 * A kind of stream: how its events become state. Pure; what a domain lib's decider gives, plus the names under which it is stored.
 * The stream of an aggregate is `<category>-<id>`.
 */
export interface StreamType<State = unknown, Event extends DomainEvent = DomainEvent> {
  readonly category: string
  readonly initialState: State
  evolve(state: State, event: Event): State
  /** What may be written, checked at each append, and how older versions are read: `evolve` sees today's. Without it everything is version 1, unchecked. */
  readonly events?: EventTypes
  /** How many events after the last snapshot another is taken, off the request path. 0: never. */
  readonly snapshotEvery: number
  /**
   * `import.meta.url`, written in the module that makes the type: that module and all that it imports are the code that made a state. When any of it
   * changes, older snapshots are ignored. Needed by a type that takes snapshots.
   */
  readonly source?: string
  /**
   * Whether the aggregate's life is over in this state: nothing is expected to happen to it any more. Such a stream is archived once it has been
   * idle for long enough, and comes back when it is asked for. Without it streams of this type are never archived.
   */
  closed?(state: State): boolean
  /** State to JSON and back: needed where the state holds bigint, Map or Set; without it the state must be plain JSON. */
  readonly snapshot?: { write(state: State): JsonObject; read(json: JsonObject): State }
}

/** A domain event as deciders write it: plain JSON data under a type name; money as decimal strings of paise. */
export interface DomainEvent {
  readonly type: string
  readonly data: JsonObject
}

export interface StreamRef<State = unknown> {
  readonly type: StreamType<State, never>
  readonly id: string
  /** A hint that the caller has just made this id up: nothing is loaded before deciding. Wrong, it costs a second decision, no more. */
  readonly fresh?: boolean
}

/** Who did it, why and from where: kept with each event, covered by its hash. */
export interface EventMetadata extends MessageContext {
  /** `sub` of the caller, or `app:payment-saga` for a machine. */
  readonly actor: string
  /** Why, where somebody said so in their own words: sealed where it may be about a person. */
  readonly reason?: string | SealedText
  /** The command that made the event. */
  readonly commandId: string
  /**
   * From where: method and template of the route, `log` and the topic, `timer`, `bahi` and the verb. Never a client's address: that is personal data, and what an
   * event holds is kept for good.
   */
  readonly origin?: string
}

export interface RecordedEvent {
  /** Commit order over the whole store. Positions grow; some are never used. */
  readonly position: bigint
  readonly stream: string
  readonly version: StreamVersion
  readonly type: string
  /** As it was written. */
  readonly schemaVersion: number
  /** As today's version has it. */
  readonly data: JsonObject
  readonly metadata: EventMetadata
  /** Milliseconds since the epoch. */
  readonly recordedAt: number
  /** SHA-256 over stream, version, type, schema version, time, payload, metadata and the hash before it. */
  readonly hash: Uint8Array
}

export interface StreamState<State = unknown> {
  readonly version: StreamVersion
  readonly state: State
}

/** What a command wants written, all or nothing. */
export interface Decision {
  /** Only of streams that the command read. */
  readonly appends: readonly { readonly stream: StreamRef; readonly events: readonly DomainEvent[] }[]
  /** Messages that no event carries: answers to command messages, a saga's outgoing commands. */
  readonly messages?: readonly OutgoingMessage[]
  /** Kept under the command's id and given again, byte for byte, when it is repeated. */
  readonly answer: string
}

/**
 * A command: which streams it reads, and a pure function from their states to what is to be written. `decide` may run more than once (after
 * a conflict it runs again on fresh state), so it must not have effects. When it throws, that command alone is rejected with the error and
 * nothing is kept: its id may be used again. Such an error too is of the newest state, and a repeated command gets its first answer instead.
 */
export interface Command {
  /** The idempotency key: one id, one effect, one answer. */
  readonly id: string
  /** Of what was asked: the same id with another fingerprint is `CommandIdReused`. */
  readonly fingerprint: string
  readonly streams: readonly StreamRef[]
  readonly metadata: Omit<EventMetadata, 'commandId'>
  /** Its answer is not kept: for a command that finds in its streams that it was, should it come again. */
  readonly unkept?: true
  decide(states: StatesOf): Decision
}

/** The states a command asked for; asking for another stream throws. */
export interface StatesOf {
  of<State>(stream: StreamRef<State>): StreamState<State>
}

export interface Answered {
  readonly answer: string
  /** True when the command had been answered before and this is that answer. */
  readonly replayed: boolean
}

/** The same command id with another fingerprint. */
export class CommandIdReused extends Error {
  constructor(readonly commandId: string) {
    super('the command id was used before for another command')
  }
}

/**
 * The write side that apps use. Concurrent calls are coalesced: one round trip and one commit for up to a few hundred of them; commands
 * for the same stream are decided one after another on cached state. Expected versions guard every stream read, also where nothing is
 * appended, so a refusal too is a decision on the newest state.
 */
export interface Commands {
  /**
   * Resolves when the command is durable. Rejects with `CommandIdReused`, with what `decide` threw, with `StoreUnavailable`
   * (nothing was written, or a repeat with the same id will tell), or with `StoreOverloaded` when the bounded queue is full.
   */
  execute(command: Command): Promise<Answered>
  /**
   * For consumers: executes in order inside the consumer's transaction, all or nothing with it. What it answers holds once `tx` commits: in a
   * first, optimistic run it is presumed, and a conflict runs the whole transaction again; in any other a conflict is decided again within it.
   * The store's lock is taken here, so call it last.
   */
  executeAll(commands: readonly Command[], tx: Transaction): Promise<readonly Answered[]>
}

export class StoreUnavailable extends Error {}
export class StoreOverloaded extends Error {}

/** Which events of a stream: from and to these versions, recorded not after `until` (milliseconds since the epoch). */
export interface ReadStream {
  readonly from?: StreamVersion
  readonly to?: StreamVersion
  readonly until?: number
  readonly limit?: number
}

export interface ReadAll {
  readonly after?: bigint
  readonly category?: string
  /** Recorded not after this, milliseconds since the epoch. */
  readonly until?: number
  readonly limit?: number
  /** Goes on, at the end, with what is appended, until this is aborted. */
  readonly follow?: AbortSignal
}

/** The read side. */
export interface Events {
  load<State>(stream: StreamRef<State>): Promise<StreamState<State>>
  loadAt<State>(stream: StreamRef<State>, at: { readonly version: StreamVersion } | { readonly time: number }): Promise<StreamState<State>>
  readStream(stream: string, options?: ReadStream): AsyncIterable<RecordedEvent>
  /** In commit order, without gaps. Read as fast as it is taken: nothing is fetched far ahead, and a reader that pauses holds no transaction. */
  readAll(options?: ReadAll): AsyncIterable<RecordedEvent>
  /** Recomputes the hash chain of a stream. */
  verify(stream: string): Promise<{ ok: boolean; version: StreamVersion; checkedEvents: number; head: string; brokenAt?: StreamVersion }>
}

/** Turns a recorded event into the contracts it is published as. Pure. An event that nobody outside should see gives none. */
export type Publisher = (event: RecordedEvent) => readonly OutgoingMessage[]

/** A store of one app: one incarnation, one sequence of positions. */
export interface EventStore extends Commands, Events {
  readonly incarnation: string
  readonly outbox: Outbox
  /** Waits for what is under way, then closes. */
  close(): Promise<void>
}
