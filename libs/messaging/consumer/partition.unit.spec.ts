import { describe, expect, it } from '@jest/globals'
import type { Transactions } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import { MemoryConsumerStore } from '#messaging/testing'
import { PartlyFailed } from '../log.js'
import type { PartitionConsumer } from './partition.js'
import { partitionOf, place, record } from './partition.fixture.js'

describe('a batch that comes late, after its lane was lost', () => {
  it('is not taken for a log that went back: the next lane goes on', async () => {
    const partition = partitionOf(memoryTransactions(), new MemoryConsumerStore())
    const log = { first: 0n, next: 3n }
    const lost = new AbortController()
    await partition.seek(log)
    await partition.handle([record(0), record(1)], lost.signal)
    await partition.store()
    await partition.seek(log)
    lost.abort()
    await expect(partition.handle([record(1)], lost.signal)).rejects.toMatchObject({ name: 'AbortError' })
    // From the last record that was read: its fingerprint says whether this is still the same log.
    expect(await partition.seek(log)).toBe(1n)
    await partition.handle([record(2)], new AbortController().signal)
    expect(partition.next).toBe(3n)
  })
})

describe('a partition that another consumer read on after the log was asked where it ends', () => {
  it('has no gap; it has one where the log still ends before its place', async () => {
    const consumerStore = new MemoryConsumerStore()
    const database = memoryTransactions()
    const before = partitionOf(database, consumerStore)
    await before.seek({ first: 0n, next: 3n })
    await before.handle([record(0), record(1), record(2)], new AbortController().signal)
    await before.store()
    const asked = { first: 0n, next: 2n }
    expect(await partitionOf(database, consumerStore).seek(asked)).toBe(2n)
    const restored = partitionOf(database, consumerStore, { logOf: () => Promise.resolve(asked) })
    await expect(restored.seek(asked)).rejects.toMatchObject({ name: 'LogGap', reason: 'went-back', next: 3n, log: asked })
  })
})

describe('a partition of messages without effect', () => {
  it('goes on storing how far it came after a commit whose answer was lost', async () => {
    const database = memoryTransactions()
    let loses = true
    const transactions: Transactions = {
      run: async (work) => {
        const result = await database.run(work)
        if (loses) throw new Error('the connection broke after COMMIT')
        return result
      },
    }
    const consumerStore = new MemoryConsumerStore()
    const partition = partitionOf(transactions, consumerStore)
    const { signal } = new AbortController()
    const stored = async () => (await consumerStore.progress('readers', place, 0n)).next
    await partition.seek({ first: 0n, next: 3n })
    await partition.handle([record(0), record(1)], signal)
    await partition.store()
    expect(await stored()).toBe(2n)
    loses = false
    await partition.handle([record(2)], signal)
    // The first looks where it stands, the second moves it.
    await partition.store()
    await partition.store()
    expect(await stored()).toBe(3n)
  })
})

describe('a poison message', () => {
  it('holds no other key up while its own waits for its next try: they are handled without a moment passing, in a handful of calls', async () => {
    const [batch, keys, poison] = [256, 50, 107]
    const handled: bigint[] = []
    let calls = 0
    const consumerStore = new MemoryConsumerStore()
    // The clock stands still: whatever waited would wait for ever.
    const partition = partitionOf(memoryTransactions(), consumerStore, {
      handler: (messages) => {
        calls++
        if (messages.some(({ offset }) => offset === BigInt(poison))) return Promise.reject(new TypeError('poison'))
        return Promise.resolve(() => Promise.resolve(void handled.push(...messages.map(({ offset }) => offset))))
      },
      isTransient: () => false,
      logOf: () => Promise.resolve({ first: 0n, next: BigInt(2 * batch) }),
    })
    const { signal } = new AbortController()
    const records = Array.from({ length: 2 * batch }, (_, offset) => record(offset, `k${offset % keys}`))
    await partition.seek({ first: 0n, next: BigInt(2 * batch) })
    await partition.handle(records.slice(0, batch), signal)
    expect([partition.next, calls]).toEqual([BigInt(batch), 1 + 2 * Math.log2(batch)])
    await partition.handle(records.slice(batch), signal)
    expect([partition.next, calls]).toEqual([BigInt(2 * batch), 2 + 2 * Math.log2(batch)])
    const waits = (offset: number) => offset >= poison && offset % keys === poison % keys
    expect(handled).toEqual(records.filter((_, offset) => !waits(offset)).map(({ offset }) => offset))
    const counted = records.filter((_, offset) => waits(offset)).length
    expect(await consumerStore.aside('readers')).toEqual([{ ...place, deferred: counted, parked: 0 }])
  })
})

describe('a batch of which some fail', () => {
  it('keeps what waits behind its key, also when that key is free again meanwhile', async () => {
    const consumerStore = new MemoryConsumerStore()
    const seen: string[] = []
    const partition: PartitionConsumer = partitionOf(memoryTransactions(), consumerStore, {
      handler: (messages) => {
        seen.push(...messages.map(({ key, offset }) => `${key}${offset}`))
        // What waited of k was handled at this very moment, and nothing more of it was there.
        partition.release('k', partition.version('k'))
        return Promise.reject(new PartlyFailed(messages.slice(0, 1).map((message) => ({ message, error: new TypeError('ill') }))))
      },
      isTransient: () => false,
    })
    const { signal } = new AbortController()
    await partition.seek({ first: 0n, next: 3n })
    await partition.handle([record(0, 'k')], signal)
    await partition.handle([record(1, 'k'), record(2, 'x')], signal)
    expect(seen).toEqual(['k0', 'x2'])
    expect(partition.next).toBe(3n)
    // k1 was not handled: it waits as k0 and x2 do.
    expect(await consumerStore.aside('readers')).toEqual([{ ...place, deferred: 3, parked: 0 }])
  })
})

describe('a batch that cannot be put aside', () => {
  it('comes again, and says so', async () => {
    const told: unknown[] = []
    const full = new Error('disk full')
    const partition = partitionOf({ run: () => Promise.reject(full) }, new MemoryConsumerStore(), {
      handler: () => Promise.reject(new TypeError('ill')),
      isTransient: () => false,
      listener: { onRetry: ({ error }) => void told.push(error) },
    })
    await partition.seek({ first: 0n, next: 1n })
    await expect(partition.handle([record(0)], new AbortController().signal)).rejects.toBe(full)
    expect(told).toEqual([full])
  })
})
