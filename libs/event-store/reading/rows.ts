import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { emptyEntry, evolve, type StreamEntry } from '../append/decide.js'
import type { StreamRef } from '../store.js'
import { upcastData, type AnyStreamType } from '../stream.js'
import { isJsonObject, type JsonObject } from '#kernel'

/** A pool, a connection, or an open transaction. */
export interface Query {
  query<Row extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<Row>>
}

/** What `append_commands` and `load_streams` answer with. */
export interface StoreRow extends QueryResultRow {
  readonly r_kind: 1 | 2 | 3 | 4 | 5 | 6
  /** Of a command in the batch, or of a stream among those asked for; from 1. */
  readonly r_ordinal: number
  readonly r_version: bigint | null
  readonly r_type: string | null
  readonly r_bytes: Buffer | null
  readonly r_hash: Buffer | null
  readonly r_time: bigint | null
  /** Of an event: the version that it was written as; of a run of events, how many they are. */
  readonly r_schema: number | null
}

export const parseObject = (bytes: Uint8Array): JsonObject => {
  const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  if (!isJsonObject(value)) throw new TypeError('stored data is not a JSON object')
  return value
}

const NOTHING = Buffer.alloc(0)

type Run = readonly [types: readonly string[], schemaVersions: readonly number[], data: readonly JsonObject[]]

/** Of a row of one event, and of a run of them. */
const runOf = ({ r_kind, r_type, r_schema, r_bytes }: StoreRow): Run => {
  if (r_kind === 4) return [[r_type ?? ''], [r_schema ?? 1], [parseObject(r_bytes ?? NOTHING)]]
  const run: unknown = r_kind === 6 ? JSON.parse(r_type ?? '') : [[], [], []]
  if (!isRun(run)) throw new TypeError('a run of stored events is not as it should be')
  return run
}

const isRun = (run: unknown): run is Run => {
  if (!Array.isArray(run)) return false
  const [types, schemaVersions, data]: unknown[] = run
  return (
    Array.isArray(types) && Array.isArray(schemaVersions) && Array.isArray(data) && data.length === types.length && data.every(isJsonObject)
  )
}

export interface FoldedStream {
  readonly entry: StreamEntry
  /** Whether these rows reach the stream's head; else more are to be loaded after `entry`. */
  readonly complete: boolean
  /** Version of the snapshot it began with, 0 where it began with none. */
  readonly snapshotVersion: number
  readonly foldedEvents: number
  /** It is to be brought back first; nothing else is said of it. */
  readonly archived?: true
}

/**
 * A stream's state from the rows of one trip: what the caller had (ignored when it is no prefix of the stream's history), or the snapshot,
 * and the events after it.
 */
export const foldRows = (ref: StreamRef, have: StreamEntry | undefined, rows: readonly StoreRow[]): FoldedStream => {
  const empty = emptyEntry(ref.type as AnyStreamType)
  const head = rows.find(({ r_kind }) => r_kind === 3)
  if (!head) return { entry: empty, complete: true, snapshotVersion: 0, foldedEvents: 0 }
  if (head.r_type === 'archived') return { entry: empty, complete: false, snapshotVersion: 0, foldedEvents: 0, archived: true }
  const isPrefix = head.r_type === 'prefix'
  if (have && have.version > 0 && !isPrefix)
    return { entry: empty, complete: Number(head.r_version) === 0, snapshotVersion: 0, foldedEvents: 0 }
  let entry = have ?? empty
  let snapshotVersion = 0
  let foldedEvents = 0
  const snapshot = rows.find(({ r_kind }) => r_kind === 5)
  if (snapshot) {
    const json = parseObject(snapshot.r_bytes ?? NOTHING)
    snapshotVersion = Number(snapshot.r_version)
    const state: unknown = ref.type.snapshot ? ref.type.snapshot.read(json) : json
    entry = { version: snapshotVersion, state, head: snapshot.r_hash ?? NOTHING, time: Number(snapshot.r_time) }
  }
  for (const row of rows) {
    const [types, schemaVersions, data] = runOf(row)
    if (types.length === 0) continue
    const version = Number(row.r_version)
    if (version !== entry.version + types.length) throw new Error(`a hole before version ${version} of a stream of ${ref.type.category}`)
    let { state } = entry
    types.forEach((type, at) => {
      state = evolve(ref, state, { type, data: upcastData(ref.type, type, schemaVersions[at] ?? 1, data[at] ?? {}) })
    })
    entry = { version, state, head: row.r_hash ?? NOTHING, time: Number(row.r_time) }
    foldedEvents += types.length
  }
  return { entry, complete: entry.version === Number(head.r_version), snapshotVersion, foldedEvents }
}

export const groupByOrdinal = (rows: readonly StoreRow[]): ReadonlyMap<number, StoreRow[]> => {
  const groups = new Map<number, StoreRow[]>()
  for (const row of rows) {
    const group = groups.get(row.r_ordinal)
    if (group) group.push(row)
    else groups.set(row.r_ordinal, [row])
  }
  return groups
}
