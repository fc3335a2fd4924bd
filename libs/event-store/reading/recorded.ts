import type { QueryResultRow } from 'pg'
import { eventHash } from '../integrity/hash-chain.js'
import { parseContext } from '../relay/publish.js'
import { parseObject } from './rows.js'
import type { EventMetadata, RecordedEvent } from '../store.js'
import { typeOfStream, upcastData, type StreamTypes } from '../stream.js'
import { sealedText } from '../keys/subject-keys.js'

export interface EventRow extends QueryResultRow {
  readonly position: bigint
  readonly stream_id: string
  readonly version: bigint
  readonly type: string
  readonly schema_version: number
  readonly payload: Buffer
  readonly metadata: Buffer
  readonly hash: Buffer
  readonly recorded_at: bigint
}

export const EVENT_COLUMNS = 'position, stream_id, version, type, schema_version, payload, metadata, hash, recorded_at'

export const toRecorded = (types: StreamTypes, row: EventRow): RecordedEvent => ({
  position: row.position,
  stream: row.stream_id,
  version: Number(row.version),
  type: row.type,
  schemaVersion: row.schema_version,
  data: upcastData(typeOfStream(types, row.stream_id), row.type, row.schema_version, parseObject(row.payload)),
  metadata: parseMetadata(row.metadata),
  recordedAt: Number(row.recorded_at),
  hash: row.hash,
})

/** What its hash must be, were it the event of this version after the one with the hash `previous`. */
export const hashOf = (row: Omit<EventRow, 'position'>, version: number, previous: Uint8Array): Buffer =>
  eventHash(
    {
      stream: row.stream_id,
      version,
      type: row.type,
      schemaVersion: row.schema_version,
      time: Number(row.recorded_at),
      payload: row.payload,
      metadata: row.metadata,
    },
    previous,
  )

export const parseMetadata = (bytes: Uint8Array): EventMetadata => {
  const json = parseObject(bytes)
  const { actor, reason, commandId, origin } = json
  if (typeof actor !== 'string' || typeof commandId !== 'string') throw new TypeError('stored event metadata is incomplete')
  const said = typeof reason === 'string' ? reason : sealedText(reason)
  return {
    ...parseContext(json),
    actor,
    commandId,
    ...(said === undefined ? {} : { reason: said }),
    ...(typeof origin === 'string' ? { origin } : {}),
  }
}
