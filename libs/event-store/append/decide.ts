import type { OutgoingMessage } from '#kernel'
import { eventHash, NO_HASH } from '../integrity/hash-chain.js'
import type { Command, Decision, DomainEvent, StatesOf, StreamRef, StreamState } from '../store.js'
import { registeredRef, streamName, type AnyStreamType } from '../stream.js'

const MAX_ID_BYTES = 512
const MAX_STREAMS = 256
const MAX_EVENTS = 1_000
const MAX_PAYLOAD_BYTES = 1_048_576

/** A stream as a decision finds it. Never changed: a decision makes new ones. */
export interface StreamEntry {
  readonly version: number
  readonly state: unknown
  /** Hash of the last event. The version and this together say which history the state is of. */
  readonly head: Buffer
  /** When the last event was recorded, milliseconds since the epoch. Within a stream time never goes back. */
  readonly time: number
}

export const emptyEntry = (type: AnyStreamType): StreamEntry => ({ version: 0, state: type.initialState, head: NO_HASH, time: 0 })

/** A command that was looked over once, with its streams by name. */
export interface CheckedCommand {
  readonly command: Command
  readonly streams: ReadonlyMap<string, StreamRef>
}

export interface PreparedEvent {
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly schemaVersion: number
  readonly time: number
  readonly payload: Buffer
  readonly metadata: Buffer
  readonly hash: Buffer
}

export interface PreparedMessage {
  readonly message: OutgoingMessage
  readonly payload: Buffer
  readonly context: Buffer
}

export interface Decided {
  readonly events: readonly PreparedEvent[]
  readonly messages: readonly PreparedMessage[]
  readonly answer: string
  /** The streams appended to, as they are after it. */
  readonly after: ReadonlyMap<string, StreamEntry>
}

/** Looks a command over; what is wrong with it rejects it alone, before it meets others in a batch. */
export const checkCommand = (command: Command, types: ReadonlyMap<string, AnyStreamType>): CheckedCommand => {
  checkText('command id', command.id)
  checkText('fingerprint', command.fingerprint)
  const streams = new Map<string, StreamRef>()
  for (const ref of command.streams) {
    const name = streamName(ref)
    checkText('stream name', name)
    streams.set(name, registeredRef(types, ref))
  }
  if (streams.size > MAX_STREAMS) throw new RangeError(`a command reads at most ${MAX_STREAMS} streams`)
  return { command, streams }
}

const checkText = (what: string, text: string): void => {
  if (text.length === 0 || Buffer.byteLength(text) > MAX_ID_BYTES || text.includes('\0'))
    throw new RangeError(`a ${what} has 1 to ${MAX_ID_BYTES} bytes and no NUL`)
}

/** Runs `decide` once, on the entries given, and prepares what it wants written. Throws what `decide` throws. */
export const decideOn = (checked: CheckedCommand, entryOf: (stream: string, ref: StreamRef) => StreamEntry, now_ms: number): Decided => {
  const { command, streams } = checked
  const entries = new Map<string, StreamEntry>()
  for (const [name, ref] of streams) entries.set(name, entryOf(name, ref))
  const states: StatesOf = {
    of<State>(ref: StreamRef<State>): StreamState<State> {
      const entry = entries.get(streamName(ref))
      if (!entry) throw new TypeError(`the command did not name the stream ${streamName(ref)}`)
      return { version: entry.version, state: entry.state as State }
    },
  }
  const decision = command.decide(states)
  checkDecision(decision)
  const metadata = Buffer.from(JSON.stringify({ ...command.metadata, commandId: command.id }))
  const events: PreparedEvent[] = []
  const after = new Map<string, StreamEntry>()
  for (const append of decision.appends) {
    const stream = streamName(append.stream)
    let entry = after.get(stream) ?? entries.get(stream)
    const ref = streams.get(stream)
    if (!entry || !ref) throw new TypeError(`the command did not name the stream ${stream}, to which it appends`)
    for (const event of append.events) {
      const prepared = prepareEvent(ref, stream, entry, event, metadata, now_ms)
      events.push(prepared)
      entry = { version: prepared.version, state: evolve(ref, entry.state, event), head: prepared.hash, time: prepared.time }
    }
    if (append.events.length > 0) after.set(stream, entry)
  }
  return { events, messages: (decision.messages ?? []).map(prepareMessage), answer: decision.answer, after }
}

export const evolve = (ref: StreamRef, state: unknown, event: DomainEvent): unknown => (ref.type as AnyStreamType).evolve(state, event)

const checkDecision = (decision: Decision): void => {
  const events = decision.appends.reduce((sum, append) => sum + append.events.length, 0)
  if (events > MAX_EVENTS || (decision.messages?.length ?? 0) > MAX_EVENTS)
    throw new RangeError(`a command appends at most ${MAX_EVENTS} events and ${MAX_EVENTS} messages`)
  if (typeof decision.answer !== 'string') throw new TypeError('a decision has an answer')
}

const prepareEvent = (
  ref: StreamRef,
  stream: string,
  before: StreamEntry,
  event: DomainEvent,
  metadata: Buffer,
  now_ms: number,
): PreparedEvent => {
  const prepared = {
    stream,
    version: before.version + 1,
    type: checkedName(event.type),
    schemaVersion: ref.type.events?.checked(event.type, event.data) ?? 1,
    time: Math.max(now_ms, before.time),
    payload: jsonBytes(event.data),
    metadata,
  }
  return { ...prepared, hash: eventHash(prepared, before.head) }
}

const prepareMessage = (message: OutgoingMessage): PreparedMessage => {
  for (const name of [message.topic, message.key, message.type]) checkedName(name)
  if (message.id !== undefined) checkedName(message.id)
  return { message, payload: jsonBytes(message.data), context: jsonBytes(message.context) }
}

const checkedName = (name: string): string => {
  checkText('name', name)
  return name
}

const jsonBytes = (value: unknown): Buffer => {
  const bytes = Buffer.from(JSON.stringify(value))
  if (bytes.length > MAX_PAYLOAD_BYTES) throw new RangeError(`an event or message has at most ${MAX_PAYLOAD_BYTES} bytes`)
  return bytes
}
