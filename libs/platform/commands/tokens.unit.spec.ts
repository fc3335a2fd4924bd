import { describe, expect, it } from '@jest/globals'
import { FakeClock } from '#kernel/testing'
import fc from 'fast-check'
import { Cursor } from '../dto/cursor.js'
import { HTTP_SERVER } from '../app/http-server.js'
import { ConsistencyToken, LONGEST_TOKEN, waitUntilConsistent } from './consistency-token.js'
import { canonical, commandIdOf, fingerprint, keyedHash } from './fingerprint.js'

const name = fc.string({ minLength: 1, maxLength: 60 }).filter((text) => text !== '__proto__')

describe('a fingerprint', () => {
  it('is of what JSON says, not how it is written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const written = JSON.stringify(value)
        expect(fingerprint(JSON.parse(JSON.stringify(JSON.parse(written), null, 3)))).toBe(fingerprint(JSON.parse(written)))
        expect(JSON.parse(canonical(JSON.parse(written)))).toEqual(JSON.parse(written))
      }),
    )
  })

  it('does not depend on the order of names', () => {
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue()), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).toReversed())
        expect(fingerprint(reversed)).toBe(fingerprint(object))
      }),
    )
  })

  it('tells different values apart', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [left, right] = [JSON.parse(JSON.stringify(a)) as unknown, JSON.parse(JSON.stringify(b)) as unknown]
        fc.pre(canonical(left) !== canonical(right))
        expect(fingerprint(left)).not.toBe(fingerprint(right))
      }),
    )
    const lookalikes = [{ a: 1 }, { a: '1' }, { a: [1] }, [{ a: 1 }], { a: null }, {}, [], null, '', 0, false, '{}']
    expect(new Set(lookalikes.map(fingerprint)).size).toBe(lookalikes.length)
  })
})

describe('a command id', () => {
  it('belongs to caller, method, path and key: none of them can run into the next', () => {
    expect(commandIdOf('a', 'POST', '/x', 'k')).toBe(commandIdOf('a', 'POST', '/x', 'k'))
    expect(commandIdOf('ab', 'POST', '/x', 'k')).not.toBe(commandIdOf('a', 'bPOST', '/x', 'k'))
    expect(commandIdOf('a', 'POST', '/x:1', 'k')).not.toBe(commandIdOf('a', 'POST', '/x', ':1k'))
  })
})

it('a keyed hash needs its key', () => {
  expect(keyedHash('one', 'text')).toBe(keyedHash('one', 'text'))
  expect(keyedHash('two', 'text')).not.toBe(keyedHash('one', 'text'))
})

describe('a consistency token', () => {
  it('says what was put in', () => {
    fc.assert(
      fc.property(name, fc.dictionary(name, fc.integer({ min: 1 })), (incarnation, streams) => {
        const token = ConsistencyToken.encode({ incarnation, streams })
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
        expect(ConsistencyToken.parse(token)).toEqual({ incarnation, streams: { ...streams } })
      }),
    )
  })

  it('of the largest command is taken back: of an order of 100 lines with the longest SKUs, at any version', () => {
    const id = '019c3a55-7d2e-7000-8000-000000000000'
    const stocks = Array.from({ length: 100 }, (_, line) => `stock-${String(line).padEnd(64, 'X')}`)
    const names = [`order-${id}`, `reservation-${id}`, ...stocks]
    for (const version of [1, Number.MAX_SAFE_INTEGER]) {
      const streams = Object.fromEntries(names.map((each) => [each, version]))
      const token = ConsistencyToken.encode({ incarnation: id, streams })
      expect(ConsistencyToken.parse(token)).toEqual({ incarnation: id, streams })
      // Of the 16 KiB of headers enough is left for an access token and what else a client sends.
      expect(token.length).toBeLessThanOrEqual(LONGEST_TOKEN)
    }
    expect(LONGEST_TOKEN).toBeLessThanOrEqual(HTTP_SERVER.maxHeaderSize - 4_096)
  })

  it('of anybody else is 400', () => {
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const bad = [
      '',
      '!',
      encoded(['i', ...Array.from({ length: 200 }, (_, at) => [String(at).padStart(64, '0'), 1]).flat()]),
      encoded({}),
      encoded([]),
      encoded(['i', 'a']),
      encoded(['i', 'a', 0]),
      encoded(['i', 'a', 1.5]),
      encoded([1]),
      encoded(['i', 'product-\u0000', 1]),
      encoded(['i', 'product-\ud800', 1]),
      encoded(['\u0000', 'product-a', 1]),
    ]
    for (const text of bad) expect(() => ConsistencyToken.parse(text)).toThrow(/invalid-consistency-token/)
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          ConsistencyToken.parse(text)
        } catch (error) {
          expect(error).toMatchObject({ status: 400 })
        }
      }),
    )
  })
})

describe('waiting for what a token speaks of', () => {
  it('ends when it is reached', async () => {
    const clock = new FakeClock()
    let reached = false
    let done = false
    const waiting = waitUntilConsistent(async () => reached, clock).then(() => (done = true))
    for (let i = 0; i < 20; i++) await Promise.resolve()
    expect(done).toBe(false)
    reached = true
    clock.advance(5)
    await waiting
    expect(done).toBe(true)
  })

  it('gives up after two seconds', async () => {
    const clock = new FakeClock(0)
    const outcome = waitUntilConsistent(async () => false, clock).then(
      () => 'reached',
      (error: unknown) => error,
    )
    while (clock.now() < 2_000) {
      for (let i = 0; i < 10; i++) await Promise.resolve()
      clock.advance((clock.nextWake() ?? 2_000) - clock.now())
    }
    expect(await outcome).toMatchObject({ status: 503, slug: 'not-yet-consistent', headers: { 'retry-after': '1' } })
  })
})

describe('a cursor', () => {
  const isText = (value: unknown): value is string => typeof value === 'string'

  it('comes back as it went', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        fc.pre(Cursor.encode(text).length <= 1_024)
        expect(Cursor.parse(Cursor.encode(text), isText)).toBe(text)
      }),
    )
  })

  it('of another list, or of nobody, is a 400 that names it', () => {
    for (const text of [Cursor.encode(5), 'rubbish!', 'x', ''])
      expect(() => Cursor.parse(text, isText)).toThrow(
        expect.objectContaining({ status: 400, errors: [expect.objectContaining({ pointer: '/cursor' })] }),
      )
  })
})
