import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  decodeMessage,
  decodePlain,
  encodeMessage,
  partitionOf,
  reportOf,
  Undecodable,
  isTransient,
  DependencyUnavailable,
  type StoredRecord,
} from '#messaging'
import type { JsonObject } from '#kernel'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { murmur2 } from './partitioner.js'
import { Marks } from './consumer/marks.js'

const stored = (record: Omit<StoredRecord, 'partition' | 'offset' | 'timestamp_ms'>): StoredRecord => ({
  ...record,
  partition: 3,
  offset: 7n,
  timestamp_ms: 5,
})

describe('messages', () => {
  it('come back as they went', () => {
    const text = fc.string({ minLength: 1, maxLength: 100 })
    fc.assert(
      fc.property(
        text,
        text,
        fc.jsonValue(),
        fc.bigInt({ min: 0n, max: 10n ** 18n }),
        fc.nat(99),
        (key, correlationId, json, position, ordinal) => {
          const data: JsonObject = JSON.parse(JSON.stringify({ json })) as JsonObject
          const context = { correlationId, causationId: 'cause', traceparent: '00-a-b-01' }
          const message = decodeMessage(
            stored(
              encodeMessage({ topic: 't', key, type: 'Said', schemaVersion: 2, data, context }, 'app', 1_700_000_000_123, {
                incarnation: 'i',
                position,
                ordinal,
              }),
            ),
          )
          expect(message).toEqual({
            topic: 't',
            partition: 3,
            offset: 7n,
            key,
            id: `i/${position}/${ordinal}`,
            type: 'Said',
            schemaVersion: 2,
            source: 'app',
            origin: { incarnation: 'i', position, ordinal },
            time: 1_700_000_000_123,
            data,
            context,
          })
        },
      ),
    )
  })

  it('without CloudEvents attributes are read where that is asked for, and nowhere else', () => {
    const plain = stored({ topic: 't', key: 'k', headers: { traceparent: '00-a-b-01' }, value: Buffer.from('{"a":1}') })
    expect(() => decodeMessage(plain)).toThrow(Undecodable)
    const id = 't/3/7'
    expect(decodePlain(plain)).toEqual({
      topic: 't',
      partition: 3,
      offset: 7n,
      key: 'k',
      id,
      type: 't',
      schemaVersion: 1,
      source: 't',
      time: 5,
      data: { a: 1 },
      origin: { incarnation: '', position: 7n, ordinal: 0 },
      context: { correlationId: id, causationId: id, traceparent: '00-a-b-01' },
    })
    expect(() => decodePlain({ ...plain, headers: { ce_specversion: '1.0' } })).toThrow(Undecodable)
    expect(() => decodePlain({ ...plain, value: new Uint8Array() })).toThrow(Undecodable)
  })

  it('throw nothing but Undecodable, whatever the bytes', () => {
    const headers = fc.dictionary(
      fc.constantFrom('ce_specversion', 'ce_id', 'ce_type', 'ce_source', 'ce_time', 'schemaversion', 'originincarnation', 'originposition'),
      fc.string(),
    )
    fc.assert(
      fc.property(headers, fc.uint8Array(), (given, value) => {
        for (const decode of [decodeMessage, decodePlain]) {
          try {
            decode(stored({ topic: 't', key: 'k', headers: given, value }))
          } catch (error) {
            expect(error).toBeInstanceOf(Undecodable)
          }
        }
      }),
    )
  })
})

describe('partitions', () => {
  // From Kafka's own UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hash %s as Kafka does', (key, hash) => expect(murmur2(new TextEncoder().encode(key))).toBe(hash))

  it('are within bounds and stable', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 64 }), (key, count) => {
        const partition = partitionOf(key, count)
        expect(partition).toBe(partitionOf(key, count))
        expect(partition >= 0 && partition < count).toBe(true)
      }),
    )
  })
})

describe('marks', () => {
  it('pass each place of a source once, in any interleaving of repeats', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ source: fc.constantFrom('a', 'b'), incarnation: fc.constantFrom('1', '2'), back: fc.nat(5) }), {
          maxLength: 60,
        }),
        (steps) => {
          const marks = new Marks()
          const highest = new Map<string, bigint>()
          for (const { source, incarnation, back } of steps) {
            const name = `${source}${incarnation}`
            const seen = highest.get(name) ?? 0n
            const position = back === 0 ? seen + 1n : seen - BigInt(back - 1)
            if (position < 1n) continue
            expect(marks.pass(source, { incarnation, position, ordinal: 0 })).toBe(position > seen)
            if (position > seen) highest.set(name, position)
          }
        },
      ),
    )
  })
})

describe('failures', () => {
  it('are reported without personal data', () => {
    const report = reportOf(new RangeError('no "Asha Rao" <asha@example.in>, phone 98765 43210, card 4111-1111-1111-1111'))
    expect(report.errorClass).toBe('RangeError')
    expect(report.message).not.toMatch(/Asha|asha@|43210|4111/)
    expect(report.stackHash).toMatch(/^[0-9a-f]{16}$/)
  })

  it('have the same stack hash where the fault is the same, whatever its message says, and another where it is another', () => {
    const fault = (message: string) => new TypeError(message)
    const [one, two] = ['a', 'b'].map((message) => reportOf(fault(message)).stackHash)
    expect(two).toBe(one)
    expect(reportOf(new TypeError('a')).stackHash).not.toBe(one)
  })

  it('are transient when what caused them is', () => {
    expect(isTransient(new Error('x', { cause: new DependencyUnavailable('away') }))).toBe(true)
    expect(isTransient({ code: '40P01' })).toBe(true)
    expect(isTransient(new TypeError('x'))).toBe(false)
    const circle = new Error('x')
    circle.cause = circle
    expect(isTransient(circle)).toBe(false)
  })

  it('are transient when an app that is called is not there, closes, or is too slow', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      // One that reads and goes; any other is never answered.
      socket.once('data', (bytes) => String(bytes).startsWith('GET /closes') && socket.end())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const failure = (call: Promise<unknown>) =>
      call.then(
        () => undefined,
        (error: unknown) => error,
      )
    const failures = [await failure(fetch(`${url}/closes`)), await failure(fetch(`${url}/hangs`, { signal: AbortSignal.timeout(50) }))]
    server.close()
    failures.push(await failure(fetch(`${url}/gone`)))
    expect(failures.map((error) => [String(error), isTransient(error)])).toEqual(
      failures.map((error) => [expect.stringMatching(/Error/), error !== undefined]),
    )
    expect(isTransient(await failure(fetch(url, { method: 'no method' })))).toBe(false)
  })
})
