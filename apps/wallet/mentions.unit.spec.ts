import { describe, expect, it } from '@jest/globals'
import type { RecordedEvent } from '#event-store'
import { Mentions } from './mentions.js'

const event = (version: number, type: string, data: object): RecordedEvent => ({
  stream: 'wallet-w',
  version,
  type,
  data: { ...data },
  position: BigInt(version),
  recordedAt: version,
  schemaVersion: 1,
  metadata: { commandId: `c-${version}`, actor: 'test', correlationId: 'c', causationId: 'c' },
  hash: Buffer.alloc(32),
})

/** A stream of one wallet that counts what is read of it. */
const walletOf = (length: number, oneIn = 10) => {
  const events = Array.from({ length }, (_, at) =>
    at % oneIn === oneIn - 1 ? event(at + 1, 'FundsHeld', { holdId: `h-${at + 1}` }) : event(at + 1, 'Credited', { entryId: 'e' }),
  )
  const reads = { events: 0, failAt: Infinity }
  const mentions = new Mentions({
    async *readStream(_stream, { from = 1, limit = Infinity } = {}) {
      for (const each of events.slice(from - 1, from - 1 + limit)) {
        if (each.version === reads.failAt) throw new Error('connection lost')
        reads.events++
        yield await Promise.resolve(each)
      }
    },
  })
  const find = async (id: string) => (await Array.fromAsync(mentions.of('w', events.length, id))).map(({ version }) => version)
  return { events, reads, find }
}

describe('what a wallet’s stream tells of a hold', () => {
  it('is found, and of one that never was nothing, while a thousand that never were cost one reading', async () => {
    const { reads, find } = walletOf(5_000)
    expect(await Promise.all(Array.from({ length: 500 }, (_, at) => find(`none-${at}`)))).toEqual(Array.from({ length: 500 }, () => []))
    for (let at = 500; at < 1_000; at++) expect(await find(`none-${at}`)).toEqual([])
    expect(reads.events).toBe(5_000)
    expect(await find('h-10')).toEqual([10])
    expect(reads.events).toBe(5_001)
  })

  it('is remembered of a wallet with more of them than 100,000, whose stream is read once', async () => {
    const { reads, find } = walletOf(120_000, 1)
    expect(await find('h-120000')).toEqual([120_000])
    expect(reads.events).toBe(120_001)
    expect([await find('none'), await find('h-10')]).toEqual([[], [10]])
    expect(reads.events).toBe(120_002)
  })

  it('is not what shares its short hash with it', async () => {
    // FNV-1a of both is the same 32 bits: https://softwareengineering.stackexchange.com/a/145633
    const { events, find } = walletOf(10)
    events.push(event(11, 'FundsHeld', { holdId: 'liquid' }), event(12, 'FundsHeld', { holdId: 'costarring' }))
    expect([await find('liquid'), await find('costarring')]).toEqual([[11], [12]])
  })

  it('grows with the stream, of which only what is new is read', async () => {
    const { events, reads, find } = walletOf(100)
    expect(await find('h-50')).toEqual([50])
    events.push(event(101, 'HoldReleased', { holdId: 'h-50' }), event(102, 'LoadRequested', { loadId: 'l-1' }))
    expect(await find('h-50')).toEqual([50, 101])
    expect(await find('l-1')).toEqual([102])
    expect(reads.events).toBe(100 + 1 + 2 + 2 + 1)
  })

  it('is right for who asks while an older reading is under way', async () => {
    const { events, find } = walletOf(100)
    const first = find('late')
    events.push(event(101, 'FundsHeld', { holdId: 'late' }))
    expect(await find('late')).toEqual([101])
    await first
  })

  it('is whole, and said once, after a reading that broke off', async () => {
    const { events, reads, find } = walletOf(100)
    expect(await find('h-50')).toEqual([50])
    events.push(...[101, 102].map((version) => event(version, 'HoldReleased', { holdId: `h-${version === 101 ? 50 : 60}` })))
    reads.failAt = 102
    await expect(find('h-50')).rejects.toThrow('connection lost')
    reads.failAt = Infinity
    expect([await find('h-50'), await find('h-70')]).toEqual([[50, 101], [70]])
  })
})
