import type { JsonObject } from '#kernel'
import { createHash } from 'node:crypto'
import { versionOf, type EventType } from '../event-types.js'
import { upcastData, type AnyStreamType } from '../stream.js'

/** An event as it was written once, kept for good: what stands before it in its stream, and the schema that it was written by. */
export interface EventFixture {
  readonly category: string
  readonly type: string
  readonly version: number
  readonly schema: JsonObject
  readonly given: readonly { readonly type: string; readonly version: number; readonly data: JsonObject }[]
  readonly data: JsonObject
}

/**
 * What of these stream types does not go with what was ever written: a schema that changed without a new version, an event that has no fixture,
 * a fixture that is not registered any more, is not read as today's schema says, or does not fold. Empty: all is well.
 */
export const evolutionFaults = (types: readonly AnyStreamType[], fixtures: readonly EventFixture[]): readonly string[] => {
  const byCategory = new Map(types.map((type) => [type.category, type]))
  const kept = new Map(fixtures.map((fixture) => [nameOf(fixture.category, fixture.type, fixture.version), fixture]))
  return [
    ...types.flatMap((type) => (type.events?.all ?? []).flatMap((event) => unfixed(type.category, event, kept))),
    ...fixtures.flatMap((fixture) => unread(byCategory.get(fixture.category), fixture)),
  ]
}

/** Fixtures that are still to be kept, from examples: each event at its first place in a stream. */
export const missingFixtures = (
  type: AnyStreamType,
  streams: readonly (readonly { readonly type: string; readonly data: JsonObject }[])[],
  fixtures: readonly EventFixture[],
): readonly EventFixture[] => {
  const { category } = type
  return (type.events?.all ?? []).flatMap((event): EventFixture[] => {
    const version = versionOf(event)
    if (fixtures.some((each) => each.category === category && each.type === event.type && each.version === version)) return []
    const stream = streams.find((each) => each.some((one) => one.type === event.type))
    const at = stream?.findIndex((one) => one.type === event.type) ?? -1
    const example = stream?.[at]
    if (!stream || !example) return []
    const given = stream
      .slice(0, at)
      .map((one) => ({ type: one.type, version: type.events?.checked(one.type, one.data) ?? 1, data: one.data }))
    return [{ category, type: event.type, version, schema: plain(event), given, data: example.data }]
  })
}

/**
 * A line for each fixture: its name, and the SHA-256 of what it says, whatever the file is formatted like. Kept in a file of its own that only grows, so
 * that nobody can drop or rewrite a fixture without taking a line out of it.
 */
export const releaseLine = (fixture: EventFixture): string =>
  `${nameOf(fixture.category, fixture.type, fixture.version)} ${createHash('sha256')
    .update(JSON.stringify(sorted(fixture)))
    .digest('hex')}`

/** What of the lines kept has no fixture that says the same any more, and which fixtures have no line yet. Empty: all is well. */
export const releaseFaults = (lines: readonly string[], fixtures: readonly EventFixture[]): readonly string[] => {
  const there = new Set(fixtures.map(releaseLine))
  const kept = new Set(lines)
  return [
    ...lines
      .filter((line) => !there.has(line))
      .map((line) => `${line.replace(/ [0-9a-f]*$/, '')} was written once, and its fixture is gone or changed`),
    ...fixtures
      .filter((each) => !kept.has(releaseLine(each)))
      .map((each) => `${nameOf(each.category, each.type, each.version)} is not in the list`),
  ]
}

const nameOf = (category: string, type: string, version: number): string => `${category}: ${type} v${version}`

const unfixed = (category: string, event: EventType, kept: ReadonlyMap<string, EventFixture>): readonly string[] => {
  const name = nameOf(category, event.type, versionOf(event))
  const fixture = kept.get(name)
  if (!fixture) return [`${name} has no fixture`]
  if (JSON.stringify(sorted(fixture.schema)) === JSON.stringify(sorted(plain(event)))) return []
  return [`${name} has another schema than it was written by: give it a new version and an upcast`]
}

const unread = (type: AnyStreamType | undefined, fixture: EventFixture): readonly string[] => {
  const name = nameOf(fixture.category, fixture.type, fixture.version)
  if (!type?.events) return [`${name} was written, and its category is not registered`]
  try {
    type.events.checked(fixture.type, type.events.upcast(fixture.type, fixture.version, fixture.data))
    let state = type.initialState
    for (const each of [...fixture.given, fixture])
      state = type.evolve(state, { type: each.type, data: upcastData(type, each.type, each.version, each.data) })
    return state === undefined ? [`${name} folds to nothing`] : []
  } catch (error) {
    return [`${name}: ${error instanceof Error ? error.message : String(error)}`]
  }
}

/** As JSON, without what only TypeBox reads. */
const plain = ({ schema }: EventType): JsonObject => JSON.parse(JSON.stringify(schema)) as JsonObject

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  )
}
