import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka'
import type { LogRecord, StoredRecord, TopicPartition } from '../../log.js'

/** A transaction that was given up: its records from `firstOffset` on are none. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

const OVERHEAD_BYTES = 12
const HEADER_BYTES = 61
const FORMAT = 2
/** What the sum of a batch is over begins here. */
const SUMMED_AT = 21
const COMPRESSION = 0b111
const LOG_APPEND_TIME = 1 << 3
const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
const ABORT = 0
const EMPTY = Buffer.alloc(0)

/**
 * The record batches (v2, KIP-98) of one partition, from `from` on. In one pass from bytes to records, because the client's own way, an object
 * and a slice for each header, takes longer than all the rest of reading.
 */
export const decodeBatches = (
  buffer: Buffer,
  place: TopicPartition,
  from: bigint,
  aborted: readonly AbortedTransaction[],
): { readonly records: StoredRecord[]; readonly next: bigint } => {
  const records: StoredRecord[] = []
  const begun = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  const given = new Set<bigint>()
  let next = from
  let at = 0
  // The broker cuts the last batch off where its answer is full.
  while (at + HEADER_BYTES <= buffer.length && at + OVERHEAD_BYTES + buffer.readInt32BE(at + 8) <= buffer.length) {
    const end = at + OVERHEAD_BYTES + buffer.readInt32BE(at + 8)
    const magic = buffer.readInt8(at + 16)
    if (magic !== FORMAT) throw new RangeError(`${place.topic}/${place.partition}: record batches of format ${magic} are not read`)
    const base = buffer.readBigInt64BE(at)
    const attributes = buffer.readInt16BE(at + 21)
    const producerId = buffer.readBigInt64BE(at + 43)
    const last = base + BigInt(buffer.readInt32BE(at + 23))
    while (begun[0] && begun[0].firstOffset <= last) given.add(begun.shift()?.producerId ?? 0n)
    const body = (): Buffer => plain(buffer.subarray(at + HEADER_BYTES, end), attributes & COMPRESSION)
    if (attributes & CONTROL) {
      if (markOf(body()) === ABORT) given.delete(producerId)
    } else if (!(attributes & TRANSACTIONAL && given.has(producerId))) {
      const append_ms = attributes & LOG_APPEND_TIME ? Number(buffer.readBigInt64BE(at + 35)) : undefined
      const cursor = new Cursor(body())
      const first_ms = Number(buffer.readBigInt64BE(at + 27))
      const count = buffer.readInt32BE(at + 57)
      for (let n = 0; n < count; n++) {
        const record = cursor.record(place, base, first_ms, append_ms)
        if (record.offset >= from) records.push(record)
      }
    }
    if (last >= next) next = last + 1n
    at = end
  }
  return { records, next }
}

const plain = (bytes: Buffer, compression: number): Buffer => {
  if (compression === 0) return bytes
  const algorithm = compressionsAlgorithmsByBitmask[compression]
  if (!algorithm) throw new RangeError(`no compression of Kafka has the number ${compression}`)
  return algorithm.decompressSync(bytes)
}

/** A control batch is one record, whose key is a version and a type. */
const markOf = (bytes: Buffer): number => {
  const { key_bytes } = new Cursor(bytes).head(0)
  return key_bytes.length >= 4 ? key_bytes.readInt16BE(2) : -1
}

/** Reads records one after another; throws where the bytes end before they should. */
class Cursor {
  #at = 0
  readonly #before: { readonly start: number; readonly length: number; readonly text: string }[] = []

  constructor(private readonly bytes: Buffer) {}

  head(first_ms: number) {
    this.#varint() // Length.
    this.#at++ // Attributes: none are defined.
    const timestamp_ms = first_ms + this.#varint()
    const delta = this.#varint()
    return { timestamp_ms, delta, key_bytes: this.#slice() }
  }

  record({ topic, partition }: TopicPartition, base: bigint, first_ms: number, append_ms: number | undefined): StoredRecord {
    const { timestamp_ms, delta, key_bytes } = this.head(first_ms)
    const value = this.#slice()
    const headers: Record<string, string> = {}
    const count = this.#varint()
    for (let n = 0; n < count; n++) {
      const name = this.#text(2 * n)
      const text = this.#text(2 * n + 1)
      // The first of a name that comes twice.
      if (!Object.hasOwn(headers, name)) headers[name] = text
    }
    const key = key_bytes.toString()
    return { topic, partition, offset: base + BigInt(delta), timestamp_ms: append_ms ?? timestamp_ms, key, headers, value }
  }

  #slice(): Buffer {
    const length = this.#varint()
    return length <= 0 ? EMPTY : this.bytes.subarray(this.#at, this.#skip(length))
  }

  /** The names of headers, and most of what they say, are those of the record before: to compare bytes costs less than to make a string of them. */
  #text(field: number): string {
    const length = this.#varint()
    if (length <= 0) return ''
    const start = this.#at
    const end = this.#skip(length)
    const before = this.#before[field]
    if (before?.length === length && this.#same(before.start, start, length)) return before.text
    const text = this.bytes.toString('utf8', start, end)
    this.#before[field] = { start, length, text }
    return text
  }

  /** From the end, where counters and times differ. */
  #same(a: number, b: number, length: number): boolean {
    const { bytes } = this
    for (let n = length - 1; n >= 0; n--) if (bytes[a + n] !== bytes[b + n]) return false
    return true
  }

  #skip(length: number): number {
    this.#at += length
    if (this.#at > this.bytes.length) throw new RangeError('a record ends before its fields')
    return this.#at
  }

  /** Zigzag, up to 64 bits; exact to 2^53. */
  #varint(): number {
    let byte = this.#byte()
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    for (let unit = 0x80; byte >= 0x80; unit *= 0x80) {
      byte = this.#byte()
      value += (byte & 0x7f) * unit
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  #byte(): number {
    const byte = this.bytes[this.#at++]
    if (byte === undefined) throw new RangeError('a record ends before its fields')
    return byte
  }
}

/** Who sends a batch, so that the broker knows one that it has, and how many the partition had from it before. */
export interface Sender {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly sequence: number
}

/**
 * One record batch (v2, uncompressed) of one partition's records, at least one. In one pass from records to bytes, because the client's own way, buffers
 * for each header that are joined again and again, takes several times as long.
 */
export const encodeBatch = (records: readonly LogRecord[], now_ms: number, { producerId, producerEpoch, sequence }: Sender): Buffer => {
  const bytes = new RecordWriter(records).all()
  const now = BigInt(now_ms)
  bytes.writeBigInt64BE(0n, 0) // The broker says which offset it is.
  bytes.writeInt32BE(bytes.length - OVERHEAD_BYTES, 8)
  bytes.writeInt32BE(-1, 12) // The leader's epoch: the broker's as well.
  bytes.writeInt8(FORMAT, 16)
  bytes.writeInt16BE(0, SUMMED_AT) // Not compressed, not of a transaction.
  bytes.writeInt32BE(records.length - 1, 23)
  bytes.writeBigInt64BE(now, 27)
  bytes.writeBigInt64BE(now, 35)
  bytes.writeBigInt64BE(producerId, 43)
  bytes.writeInt16BE(producerEpoch, 51)
  bytes.writeInt32BE(sequence, 53)
  bytes.writeInt32BE(records.length, 57)
  bytes.writeUInt32BE(crc32c(bytes.subarray(SUMMED_AT)), 17)
  return bytes
}

const MOST_VARINT_BYTES = 5
const MOST_BYTES_A_CHARACTER = 3
/** A record's length stands before it and is known after it: as many bytes are kept for it as most need. */
const LENGTH_BYTES = 2
const GUESSED_BYTES = 700
/** What has a length of one byte. */
const SHORT = 63

/** Writes records after the place of a batch's header. */
class RecordWriter {
  #bytes: Buffer
  #at = HEADER_BYTES
  /** Where each header was written last, name and text. */
  readonly #before: { readonly name: string; readonly text: string; readonly start: number; readonly end: number }[] = []

  constructor(private readonly records: readonly LogRecord[]) {
    this.#bytes = Buffer.allocUnsafe(HEADER_BYTES + records.reduce((sum, { value }) => sum + value.length + GUESSED_BYTES, 0))
  }

  all(): Buffer {
    this.records.forEach((record, n) => this.#record(record, n))
    return this.#bytes.subarray(0, this.#at)
  }

  #record({ key, value, headers }: LogRecord, delta: number): void {
    const start = this.#at
    this.#room(LENGTH_BYTES + 2 + MOST_VARINT_BYTES)
    this.#at += LENGTH_BYTES
    this.#bytes[this.#at++] = 0 // Attributes: none are defined.
    this.#varint(0) // All have the batch's time.
    this.#varint(delta)
    this.#text(key)
    this.#room(value.length + 2 * MOST_VARINT_BYTES)
    this.#varint(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
    this.#headers(headers)
    this.#putLength(start)
  }

  /** Most say what they said in the record before: those that stand there side by side are copied together, which costs less than to encode them again. */
  #headers(headers: LogRecord['headers']): void {
    const names = Object.keys(headers)
    this.#varint(names.length)
    let [from, to] = [0, 0]
    names.forEach((name, n) => {
      const text = headers[name] ?? ''
      const before = this.#before[n]
      if (before?.name === name && before.text === text) {
        if (before.start !== to) {
          this.#copy(from, to)
          from = before.start
        }
        to = before.end
        return
      }
      this.#copy(from, to)
      from = to = 0
      const start = this.#at
      this.#text(name)
      this.#text(text)
      this.#before[n] = { name, text, start, end: this.#at }
    })
    this.#copy(from, to)
  }

  #copy(from: number, to: number): void {
    this.#room(to - from)
    this.#bytes.copyWithin(this.#at, from, to)
    this.#at += to - from
  }

  #putLength(start: number): void {
    const body = start + LENGTH_BYTES
    const length = this.#at - body
    const moved = bytesOfVarint(length) - LENGTH_BYTES
    if (moved !== 0) {
      this.#room(MOST_VARINT_BYTES)
      this.#bytes.copyWithin(body + moved, body, this.#at)
      // Where its texts were is not where they are.
      this.#before.length = 0
    }
    this.#at = start
    this.#varint(length)
    this.#at += length
  }

  #text(text: string): void {
    this.#room(text.length * MOST_BYTES_A_CHARACTER + MOST_VARINT_BYTES)
    if (text.length <= SHORT && this.#ascii(text)) return
    this.#varint(Buffer.byteLength(text))
    this.#at += this.#bytes.write(text, this.#at)
  }

  /** By hand, since a call out of JavaScript takes longer. False, with nothing written, where it is more than ASCII. */
  #ascii(text: string): boolean {
    const at = this.#at + 1
    for (let n = 0; n < text.length; n++) {
      const code = text.charCodeAt(n)
      if (code >= 0x80) return false
      this.#bytes[at + n] = code
    }
    this.#varint(text.length)
    this.#at += text.length
    return true
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe((this.#at + bytes) * 2)
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }

  /** Zigzag, of what is not negative and under 2^30. */
  #varint(value: number): void {
    let left = value * 2
    while (left >= 0x80) {
      this.#bytes[this.#at++] = (left & 0x7f) | 0x80
      left >>>= 7
    }
    this.#bytes[this.#at++] = left
  }
}

const bytesOfVarint = (value: number): number => {
  let bytes = 1
  for (let left = value * 2; left >= 0x80; left >>>= 7) bytes++
  return bytes
}
