import { hash } from 'node:crypto'
import type { JsonObject } from '#kernel'
import type { MemoryStoreData } from '#event-store/testing'
import { Violation } from '../violation.js'

type EventRow = MemoryStoreData['events'][number]

export interface SeenEvent {
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly data: JsonObject
  readonly position: bigint
  readonly commandId: string
}

/** Reads what was newly committed to one store, and verifies its hash chains as it goes, by the specification and not by the store's own code. */
export class Tail {
  #read = 0
  readonly #heads = new Map<string, { readonly version: number; readonly hash: Buffer }>()

  constructor(private readonly data: MemoryStoreData) {}

  *fresh(): Generator<SeenEvent> {
    const { events } = this.data
    while (this.#read < events.length) {
      const row = events[this.#read++]
      if (!row) return
      this.#verify(row)
      const data = JSON.parse(row.payload.toString()) as JsonObject
      const { commandId } = JSON.parse(row.metadata.toString()) as { commandId: string }
      yield { stream: row.stream_id, version: Number(row.version), type: row.type, data, position: row.position, commandId }
    }
  }

  #verify(row: EventRow): void {
    const head = this.#heads.get(row.stream_id) ?? { version: 0, hash: Buffer.alloc(0) }
    const version = Number(row.version)
    if (version !== head.version + 1) throw new Violation(2, `${row.stream_id} goes from version ${head.version} to ${version}`)
    if (!hashOf(row, head.hash).equals(row.hash)) throw new Violation(2, `the hash chain of ${row.stream_id} breaks at version ${version}`)
    this.#heads.set(row.stream_id, { version, hash: row.hash })
  }
}

const text = (value: string): Buffer => sized(Buffer.from(value))
const sized = (bytes: Uint8Array): Buffer => {
  const all = Buffer.alloc(4 + bytes.length)
  all.writeUInt32BE(bytes.length)
  all.set(bytes, 4)
  return all
}
const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** As `libs/event-store/integrity/hash-chain.ts` specifies it. */
const hashOf = (row: EventRow, previous: Uint8Array): Buffer =>
  hash(
    'sha256',
    Buffer.concat([
      Buffer.from('bahi.event.1'),
      sized(previous),
      text(row.stream_id),
      uint64(row.version),
      text(row.type),
      uint32(row.schema_version),
      uint64(row.recorded_at),
      sized(row.payload),
      sized(row.metadata),
    ]),
    'buffer',
  )
