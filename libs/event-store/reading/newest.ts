import type pg from 'pg'
import { KEPT_AT } from '../sql/partitions.js'
import type { RecordedEvent } from '../store.js'
import { typeOfStream, upcastData, type StreamTypes } from '../stream.js'
import type { EventRow } from './recorded.js'
import { parseObject } from './rows.js'

type Written = Pick<RecordedEvent, 'type' | 'data'>

/** A recent event beside the one before it in its stream. */
export interface NewestEvent extends Written, Pick<RecordedEvent, 'stream' | 'version'> {
  /** Undefined of a stream's first event, and where that event is missing, which `verifyRecent` finds. */
  readonly before: Written | undefined
}

interface Row extends Pick<EventRow, 'stream_id' | 'version' | 'type' | 'schema_version' | 'payload'> {
  readonly before_type: string | null
  readonly before_schema_version: number
  readonly before_payload: Buffer
}

// The event before it is looked for where the stream's events are kept, and not in every partition there ever was.
export const NEWEST = `
SELECT e.stream_id, e.version, e.type, e.schema_version, e.payload,
  b.type AS before_type, b.schema_version AS before_schema_version, b.payload AS before_payload
FROM (SELECT * FROM events ORDER BY position DESC LIMIT $1) e
LEFT JOIN streams s ON s.stream_id = e.stream_id
LEFT JOIN LATERAL (
  SELECT x.type, x.schema_version, x.payload FROM events x
  WHERE x.stream_id = e.stream_id AND x.version = e.version - 1 AND ${KEPT_AT} >= s.since LIMIT 1
) b ON true`

/** The newest `events` (at most 10,000) of the store, in no order. The work is the same whatever the store's size. Throws `UnknownEvent`. */
export const newestEvents = async (pool: pg.Pool, types: StreamTypes, events: number): Promise<readonly NewestEvent[]> => {
  const { rows } = await pool.query<Row>({ name: 'newest-events', text: NEWEST, values: [Math.min(events, 10_000)] })
  return rows.map((row) => {
    const of = typeOfStream(types, row.stream_id)
    const written = (type: string, version: number, payload: Buffer): Written => ({
      type,
      data: upcastData(of, type, version, parseObject(payload)),
    })
    return {
      stream: row.stream_id,
      version: Number(row.version),
      ...written(row.type, row.schema_version, row.payload),
      before: row.before_type === null ? undefined : written(row.before_type, row.before_schema_version, row.before_payload),
    }
  })
}
