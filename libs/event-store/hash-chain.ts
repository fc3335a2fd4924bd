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
