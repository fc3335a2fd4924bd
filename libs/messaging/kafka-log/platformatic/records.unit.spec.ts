import { describe, expect, it } from '@jest/globals'
import { createRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { decodeBatches, encodeBatch } from './records.js'

const PLACE = { topic: 't', partition: 3 }
const CONTROL = 1 << 5
const ATTRIBUTES_AT = 21
const HEADER_BYTES = 61

interface Given {
  readonly key: string
  readonly value: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  readonly timestamp_ms: number
}

const encode = (base: bigint, given: readonly Given[], options: Parameters<typeof createRecordsBatch>[1] = {}): Buffer => {
  const records = given.map(({ key, value, headers, timestamp_ms }) => ({
    ...PLACE,
    timestamp: BigInt(timestamp_ms),
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  }))
  const bytes = createRecordsBatch(records, options).buffer
  bytes.writeBigInt64BE(base)
  return bytes
}

const given = fc.record({
  key: fc.string({ unit: 'grapheme' }),
  value: fc.uint8Array({ maxLength: 300 }),
  headers: fc.dictionary(
    fc.oneof(fc.constantFrom('ce_id', 'ce_type', 'traceparent'), fc.string()).filter((name) => name !== '__proto__'),
    fc.oneof(fc.constantFrom('a', 'b', 'ab', '₹'), fc.string({ unit: 'grapheme', maxLength: 200 })),
    { maxKeys: 6 },
  ),
  // The client writes a wrong time where two of a batch are 2^31 ms or more apart; see below.
  timestamp_ms: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_000 + 2 ** 31 - 1 }),
})
const batch = fc.record({
  records: fc.array(given, { minLength: 1, maxLength: 6 }),
  compression: fc.constantFrom('none', 'gzip', 'snappy', 'lz4', 'zstd'),
  /** Compaction leaves holes. */
  gap: fc.bigInt({ min: 0n, max: 3n }),
})

const named = (key: string): Given => ({ key, value: Buffer.from(key), headers: {}, timestamp_ms: 1 })

describe('record batches of Kafka', () => {
  it('gives back what the client wrote, from any offset on, as far as the bytes hold whole batches', () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 4 }), fc.bigInt({ min: 0n, max: 30n }), fc.nat(), (batches, from, cut) => {
        let base = 0n
        const written = batches.map(({ records, compression, gap }) => {
          const first = base + gap
          base = first + BigInt(records.length)
          return { first, end: base, records, bytes: encode(first, records, { compression }) }
        })
        const all = Buffer.concat(written.map(({ bytes }) => bytes))
        const held = all.subarray(0, all.length - (cut % (all.length + 1)))
        let length = 0
        const whole = written.filter(({ bytes }) => (length += bytes.length) <= held.length)
        const { records, next } = decodeBatches(held, PLACE, from, [])
        expect(records).toEqual(
          whole
            .flatMap((each) =>
              each.records.map((record, n) => ({ ...PLACE, ...record, value: Buffer.from(record.value), offset: each.first + BigInt(n) })),
            )
            .filter(({ offset }) => offset >= from),
        )
        expect(next).toBe(whole.reduce((most, { end }) => (end > most ? end : most), from))
      }),
    )
  })

  it('passes over transactions that were given up, and over their marks, and reads the others', () => {
    const transaction = (base: bigint, producerId: bigint, ...keys: string[]) =>
      encode(base, keys.map(named), { producerId, transactionalId: 'a transaction' })
    const mark = (base: bigint, producerId: bigint, type: number): Buffer => {
      const key = Buffer.from([0, 0, 0, type])
      const bytes = encode(base, [{ ...named(''), key: key.toString('latin1') }], { producerId, transactionalId: 'a transaction' })
      bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES_AT) | CONTROL, ATTRIBUTES_AT)
      return bytes
    }
    const [ABORT, COMMIT] = [0, 1]
    const bytes = Buffer.concat([
      encode(0n, [named('plain')]),
      transaction(1n, 7n, 'given up', 'too'),
      transaction(3n, 8n, 'kept'),
      mark(4n, 7n, ABORT),
      mark(5n, 8n, COMMIT),
      transaction(6n, 7n, 'its next'),
      mark(7n, 7n, COMMIT),
    ])
    const { records, next } = decodeBatches(bytes, PLACE, 0n, [{ producerId: 7n, firstOffset: 1n }])
    expect(records.map(({ key, offset }) => [key, offset])).toEqual([
      ['plain', 0n],
      ['kept', 3n],
      ['its next', 6n],
    ])
    expect(next).toBe(8n)
  })

  it.each([0, -1, 2 ** 31, -(2 ** 31) - 1, 5_000_000_000, 2 ** 44])('reads a time that is %d ms from the first', (delta_ms) => {
    const zigzag: number[] = []
    for (let left = delta_ms < 0 ? -2 * delta_ms - 1 : 2 * delta_ms; ; left = Math.floor(left / 0x80)) {
      zigzag.push(left < 0x80 ? left : (left % 0x80) + 0x80)
      if (left < 0x80) break
    }
    const NULL = 1
    const fields = [0, ...zigzag, 0, NULL, NULL, 0]
    const body = Buffer.from([2 * fields.length, ...fields])
    const bytes = Buffer.concat([encode(0n, [named('k')]).subarray(0, HEADER_BYTES), body])
    bytes.writeInt32BE(bytes.length - 12, 8)
    const { records } = decodeBatches(bytes, PLACE, 0n, [])
    expect(records).toEqual([{ ...PLACE, offset: 0n, timestamp_ms: 1 + delta_ms, key: '', value: Buffer.alloc(0), headers: {} }])
  })

  it('writes, byte for byte, what the client would, whatever was in the record before', () => {
    const sender = fc.record({ producerId: fc.bigInt({ min: 0n, max: 2n ** 62n }), producerEpoch: fc.nat(32_767), sequence: fc.nat() })
    const sent = fc.array(
      fc.oneof(
        given,
        given.map((each) => ({ ...each, value: new Uint8Array(9_000) })),
      ),
      { minLength: 1, maxLength: 12 },
    )
    fc.assert(
      fc.property(sent, sender, fc.nat(), (records, { producerId, producerEpoch, sequence }, now_ms) => {
        const theirs = encode(
          0n,
          records.map((each) => ({ ...each, timestamp_ms: now_ms })),
          { producerId, producerEpoch, partitionLeaderEpoch: -1, sequences: { getWithDefault: () => sequence } as never },
        )
        const ours = encodeBatch(
          records.map((each) => ({ ...PLACE, ...each })),
          now_ms,
          { producerId, producerEpoch, sequence },
        )
        expect(ours.toString('hex')).toBe(theirs.toString('hex'))
      }),
    )
  })

  it('refuses bytes that are no records instead of making some up', () => {
    const bytes = encode(0n, [named('a'), named('b')])
    const shorter = Buffer.from(bytes)
    shorter.writeInt32BE(3, 57) // Says that there are three.
    expect(() => decodeBatches(shorter, PLACE, 0n, [])).toThrow('a record ends before its fields')
    const older = Buffer.from(bytes)
    older.writeInt8(1, 16)
    expect(() => decodeBatches(older, PLACE, 0n, [])).toThrow('t/3: record batches of format 1 are not read')
  })
})
