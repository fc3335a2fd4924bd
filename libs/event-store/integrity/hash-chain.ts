import type { CopiedRow } from '#postgres'
import { hash } from 'node:crypto'

export interface HashedEvent {
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly schemaVersion: number
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly payload: Uint8Array
  readonly metadata: Uint8Array
}

/** What the first event of a stream takes for the hash before it. */
export const NO_HASH: Buffer = Buffer.alloc(0)

const DOMAIN = Buffer.from('bahi.event.1')

/**
 * SHA-256 over the event and the hash before it. Each field goes in with its length before it, so that no two events have the same bytes:
 * `domain | u32 length, previous | u32 length, stream | u64 version | u32 length, type | u32 schema version | u64 time | u32 length, payload |
 * u32 length, metadata`, integers big-endian, text in UTF-8.
 */
export const eventHash = (event: HashedEvent, previous: Uint8Array): Buffer => {
  const streamLength = Buffer.byteLength(event.stream)
  const typeLength = Buffer.byteLength(event.type)
  const bytes = Buffer.allocUnsafe(
    DOMAIN.length + 40 + previous.length + streamLength + typeLength + event.payload.length + event.metadata.length,
  )
  let at = DOMAIN.copy(bytes)
  const put = (part: Uint8Array) => {
    at = bytes.writeUInt32BE(part.length, at)
    bytes.set(part, at)
    at += part.length
  }
  const putText = (text: string, length: number) => {
    at = bytes.writeUInt32BE(length, at)
    at += bytes.write(text, at, length)
  }
  const putUint64 = (value: number) => {
    at = bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at)
    at = bytes.writeUInt32BE(value % 0x1_0000_0000, at)
  }
  put(previous)
  putText(event.stream, streamLength)
  putUint64(event.version)
  putText(event.type, typeLength)
  at = bytes.writeUInt32BE(event.schemaVersion, at)
  putUint64(event.time)
  put(event.payload)
  put(event.metadata)
  return hash('sha256', bytes, 'buffer')
}

/** What `chainReader` reads, in this order. */
export const CHAIN_COLUMNS = 'position, stream_id, version, type, schema_version, recorded_at, payload, metadata, hash'

/** An event of which no more is known than where it stands and whether its hash holds. */
export interface ChainedEvent {
  readonly position: bigint
  readonly stream: string
  readonly version: number
  /** As it is stored, a character a byte. */
  readonly hash: string
  /** It is what the event comes to after the one that was read before it, or as the first one where that was of another stream. */
  readonly holds: boolean
}

const HASH_BYTES = 32
const WITH_LENGTH = true
/** The domain, a length, a hash: what is before the stream. A first event has no hash there, and begins that much later. */
const BEFORE_STREAM = DOMAIN.length + 4 + HASH_BYTES

/**
 * Holds rows of `CHAIN_COLUMNS`, as they come in the order of streams and versions, to their hashes. As PostgreSQL sends a row in binary it is nearly what
 * `eventHash` hashes: it is put together from there, without an object for each part, and hashes are compared as text, for to make a Buffer of one takes
 * longer than to make the hash.
 */
export const chainReader = (): ((row: CopiedRow) => ChainedEvent) => {
  let bytes = Buffer.allocUnsafeSlow(16_384)
  let before: ChainedEvent | undefined
  return (row) => {
    if (row.size_bytes + BEFORE_STREAM > bytes.length) bytes = Buffer.allocUnsafeSlow(row.size_bytes + BEFORE_STREAM)
    const position = row.int8()
    const versionAt = row.copy(bytes, BEFORE_STREAM, WITH_LENGTH)
    const stream = bytes.toString('utf8', BEFORE_STREAM + 4, versionAt)
    const typeAt = row.copy(bytes, versionAt)
    const schemaVersionAt = row.copy(bytes, typeAt, WITH_LENGTH)
    const timeAt = row.copy(bytes, schemaVersionAt)
    const payloadAt = row.copy(bytes, timeAt)
    const metadataAt = row.copy(bytes, payloadAt, WITH_LENGTH)
    const end = row.copy(bytes, metadataAt, WITH_LENGTH)
    const claimed = row.text('latin1')
    const previous = before?.stream === stream && before.hash.length === HASH_BYTES ? before.hash : ''
    const start = HASH_BYTES - previous.length
    DOMAIN.copy(bytes, start)
    bytes.writeUInt32BE(previous.length, start + DOMAIN.length)
    bytes.write(previous, start + DOMAIN.length + 4, 'latin1')
    const holds = hash('sha256', bytes.subarray(start, end), 'latin1') === claimed
    return (before = { position, stream, version: Number(bytes.readBigInt64BE(versionAt)), hash: claimed, holds })
  }
}
