import { createHash } from 'node:crypto'
import type { DomainEvent, StreamRef, StreamType } from './store.js'

/** A stream type whose state is not known here. Its methods take whatever its own events and states are. */
export type AnyStreamType = StreamType<unknown, DomainEvent>

export const streamName = (ref: StreamRef): string => `${ref.type.category}-${ref.id}`

/**
 * Names the shape of a type's state: another `evolve`, `initialState` or snapshot codec gives another, so that snapshots taken before are
 * ignored. Functions count by their source text; `revision` covers what that does not show.
 */
export const shapeOf = (type: StreamType<unknown, never>): string => {
  const parts = [type.category, type.revision ?? 0, canonical(type.initialState), type.evolve.toString()]
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

/** The registered types by category; two of one category are a mistake in the composition. */
export const typesByCategory = (types: readonly AnyStreamType[]): ReadonlyMap<string, AnyStreamType> => {
  const known = new Map<string, AnyStreamType>()
  for (const type of types) {
    if (known.has(type.category)) throw new Error(`two stream types have the category ${type.category}`)
    known.set(type.category, type)
  }
  return known
}
