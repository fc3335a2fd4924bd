import type { Json, JsonObject } from '#kernel'
import type pg from 'pg'
import { emptyEntry, evolve } from '../append/decide.js'
import { loadAt, readStream } from './reader.js'
import { parseObject } from './rows.js'
import { streamRows } from './consistent-read.js'
import { typeOfStream, upcastData, type AnyStreamType, type StreamTypes } from '../stream.js'

export interface ListedStream {
  readonly stream: string
  readonly category: string
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly recordedAt: number
}

/** All streams in the order of their names' bytes, or those of a category. */
export const listStreams = async function* (pool: pg.Pool, category?: string): AsyncGenerator<ListedStream> {
  for await (const row of streamRows(pool))
    if (category === undefined || row.category === category)
      yield { stream: row.stream_id, category: row.category, version: Number(row.version), recordedAt: Number(row.recorded_at) }
}

/** The stream's state at a version as JSON, as a snapshot would have it. Undefined for a stream of no registered category. */
export const stateAt = async (
  pool: pg.Pool,
  types: StreamTypes,
  stream: string,
  version: number,
): Promise<{ readonly version: number; readonly state: Json } | undefined> => {
  const type = typeOfStream(types, stream)
  if (!type) return undefined
  const found = await loadAt(pool, { type, id: stream.slice(type.category.length + 1) }, { version })
  return { version: found.version, state: jsonOf(type, found.state) }
}

export interface Difference {
  /** JSON Pointer. */
  readonly path: string
  /** Absent: not there. */
  readonly before?: Json
  readonly after?: Json
}

/** Where two JSON values differ, in the order of their names. */
export const differences = (before: Json | undefined, after: Json | undefined, path = ''): readonly Difference[] => {
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after))
    return [{ path: path || '/', ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }]
  const [one, other] = [before as JsonObject, after as JsonObject]
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort()
  return names.flatMap((name) => differences(one[name], other[name], `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`))
}

const isContainer = (json: Json | undefined): json is JsonObject | readonly Json[] => typeof json === 'object' && json !== null

const jsonOf = (type: AnyStreamType, state: unknown): Json =>
  JSON.parse(JSON.stringify(type.snapshot ? type.snapshot.write(state) : state) ?? 'null') as Json

export interface Replayed {
  readonly stream: string
  readonly version: number
  readonly differences: readonly Difference[]
}

/**
 * Folds a stream from its first event by today's `evolve`, and tells at each snapshot that was ever taken and is still kept (older shapes too)
 * how the state of then differs from today's. No snapshot: nothing to tell.
 */
export const replayStream = async (pool: pg.Pool, types: StreamTypes, stream: string): Promise<readonly Replayed[]> => {
  const type = typeOfStream(types, stream)
  if (!type) throw new TypeError(`${stream} is of no registered category`)
  const { rows } = await pool.query<{ version: bigint; state: Buffer }>(
    'SELECT version, state FROM snapshots WHERE stream_id = $1 ORDER BY version',
    [stream],
  )
  const kept = new Map<number, JsonObject[]>()
  for (const { version, state } of rows) kept.set(Number(version), [...(kept.get(Number(version)) ?? []), parseObject(state)])
  const replayed: Replayed[] = []
  let { state } = emptyEntry(type)
  const ref = { type, id: '' }
  for await (const row of readStream(pool, stream, { to: Math.max(0, ...kept.keys()) })) {
    state = evolve(ref, state, { type: row.type, data: upcastData(type, row.type, row.schema_version, parseObject(row.payload)) })
    const version = Number(row.version)
    for (const before of kept.get(version) ?? []) replayed.push({ stream, version, differences: differences(before, jsonOf(type, state)) })
  }
  return replayed
}
