import { createHash } from 'node:crypto'
import type { JsonObject } from '#kernel'
import { codeHash } from './code-hash.js'
import type { EventTypes } from './event-types.js'
import type { DomainEvent, StreamRef, StreamType } from './store.js'

/** A stream type whose state is not known here. Its methods take whatever its own events and states are. */
export type AnyStreamType = StreamType<unknown, DomainEvent>

/** One whose events are registered. */
export type RegisteredStreamType = AnyStreamType & { readonly events: EventTypes }

export const streamName = (ref: StreamRef): string => `${ref.type.category}-${ref.id}`

/**
 * Names the shape of a type's state: another `evolve`, `initialState` or snapshot codec gives another, so that snapshots taken before are
 * ignored; so does other code in any module that they reach, for which see `codeHash`. Of functions given elsewhere their own text counts.
 */
export const shapeOf = (type: StreamType<unknown, never>): string => {
  const parts = [type.category, canonical(type.initialState), type.evolve.toString()]
  for (const source of [type.source, type.events?.source]) if (source !== undefined) parts.push(codeHash(source))
  for (const { type: name, upcasts } of type.events?.all ?? []) if (upcasts.length > 0) parts.push(name, ...upcasts.map(String))
  if (type.snapshot) parts.push(type.snapshot.write.toString(), type.snapshot.read.toString())
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_name, inner: unknown) => {
    if (typeof inner === 'bigint') return `${inner}n`
    if (inner instanceof Map) return { map: [...inner] }
    if (inner instanceof Set) return { set: [...inner] }
    return inner
  }) ?? 'undefined'

export type StreamTypes = ReadonlyMap<string, AnyStreamType>

/** The ref with the type that is registered under its category: what an app adds to a domain's type (its events) counts whoever names the stream. */
export const registeredRef = <State>(types: StreamTypes, ref: StreamRef<State>): StreamRef<State> => {
  const type = types.get(ref.type.category)
  if (!type) throw new TypeError(`the stream type ${ref.type.category} is not registered with this store`)
  return (type as unknown) === ref.type ? ref : { ...ref, type: type as unknown as StreamType<State, never> }
}

/** Of the registered types whose category the stream's name begins with, the longest: `wallet-owner-1` is not of `wallet`. */
export const typeOfStream = (types: StreamTypes, stream: string): AnyStreamType | undefined => {
  for (let end = stream.lastIndexOf('-'); end > 0; end = stream.lastIndexOf('-', end - 1)) {
    const type = types.get(stream.slice(0, end))
    if (type) return type
  }
  return undefined
}

/** Whether streams of this name are of this category: that of their type; of a type that is not registered, any that the name begins with. */
export const isOfCategory = (types: StreamTypes | undefined, stream: string, category: string): boolean => {
  const type = types && typeOfStream(types, stream)
  return type ? type.category === category : stream.startsWith(`${category}-`)
}

/** Stored data as `evolve` and publishers know it. */
export const upcastData = (
  of: { readonly events?: EventTypes } | undefined,
  type: string,
  version: number,
  data: JsonObject,
): JsonObject => (of?.events ? of.events.upcast(type, version, data) : data)

/** The registered types by category; two of one category are a mistake in the composition, and so are snapshots of code that is not named. */
export const typesByCategory = (types: readonly AnyStreamType[]): StreamTypes => {
  const known = new Map<string, AnyStreamType>()
  for (const type of types) {
    if (known.has(type.category)) throw new Error(`two stream types have the category ${type.category}`)
    const { snapshotEvery, source, events } = type
    if (
      snapshotEvery > 0 &&
      (source === undefined || (events?.source === undefined && events?.all.some(({ upcasts }) => upcasts.length > 0)))
    )
      throw new TypeError(
        `the stream type ${type.category} takes snapshots: it, and its EventTypes with upcasts, must name their source, import.meta.url`,
      )
    known.set(type.category, type)
  }
  return known
}
