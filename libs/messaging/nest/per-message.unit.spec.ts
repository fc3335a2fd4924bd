import { describe, expect, it } from '@jest/globals'
import type { IncomingMessage } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import { DependencyUnavailable, isTransient } from '#messaging'
import { MemoryConsumerStore } from '#messaging/testing'
import { decodeMessage } from '../cloud-events.js'
import { partitionOf, place, record } from '../consumer/partition.fixture.js'
import { PartlyFailed, type StoredRecord } from '../log.js'
import { perMessage } from './per-message.js'

const messages = (...records: readonly StoredRecord[]): readonly IncomingMessage[] => records.map(decodeMessage)

/** What it handled; a name in `fails` fails by that error until it is taken out. */
const handling = () => {
  const handled: string[] = []
  const fails = new Map<string, Error>()
  const owner = new AbortController()
  const perEach = perMessage(
    ({ data }) => {
      const name = String(data['name'])
      const error = fails.get(name)
      if (error) return Promise.reject(error)
      handled.push(name)
      if (name === 'last') owner.abort(new Error('the partition is another’s'))
      return Promise.resolve()
    },
    { concurrency: 4, isTransient },
  )
  const batch = (of: readonly IncomingMessage[]) => perEach(of, owner.signal)
  /** As what was put aside is tried again. */
  const alone = (of: readonly IncomingMessage[]) => perEach(of)
  return { handled, fails, batch, alone }
}
const away = new DependencyUnavailable('away')

describe('a handler of single messages', () => {
  it('is not asked again for what it handled of a batch that comes again, whole or in part', async () => {
    const { handled, fails, batch } = handling()
    fails.set('b2', away)
    const first = messages(record(0, 'a'), record(1, 'c'), record(2, 'b'), record(3, 'b'))
    await expect(batch(first)).rejects.toBe(away)
    await expect(batch(first)).rejects.toBe(away)
    fails.clear()
    // As it may come: in parts.
    await batch(first.slice(0, 3))
    await batch([...first.slice(3), ...messages(record(4, 'a'))])
    expect(handled).toEqual(['a0', 'c1', 'b2', 'b3', 'a4'])
  })

  it('is asked again for all of a batch that did not fail: who brings it back has lost what it did, or its place', async () => {
    const { handled, fails, batch } = handling()
    fails.set('b1', away)
    const first = messages(record(0, 'a'), record(1, 'b'))
    await expect(batch(first)).rejects.toBe(away)
    fails.clear()
    await batch(first)
    await batch(first)
    expect(handled).toEqual(['a0', 'b1', 'a0', 'b1'])
  })

  it('keeps in mind what it handled beside what failed for good: that may not have been put aside', async () => {
    const { handled, fails, batch } = handling()
    fails.set('b1', new TypeError('ill'))
    const first = messages(record(0, 'a'), record(1, 'b'))
    await expect(batch(first)).rejects.toBeInstanceOf(PartlyFailed)
    await expect(batch(first)).rejects.toBeInstanceOf(PartlyFailed)
    expect(handled).toEqual(['a0'])
    // It was, where a later batch comes.
    await batch(messages(record(2, 'a')))
    fails.clear()
    await batch(first)
    expect(handled).toEqual(['a0', 'a2', 'a0', 'b1'])
  })

  it('begins none any more once the partition is another’s, and stores nothing', async () => {
    const { handled, batch } = handling()
    await expect(batch(messages(record(0, 'k'), record(1, 'k', 'last'), record(2, 'k')))).rejects.toThrow('another’s')
    expect(handled).toEqual(['k0', 'last'])
  })

  it('handles another message at the same offset of a topic that was made anew, and nothing for what was put aside', async () => {
    const { handled, fails, batch, alone } = handling()
    fails.set('x7', away)
    const before = messages(record(5, 'a'), record(6, 'a'), record(7, 'x'))
    await expect(batch(before)).rejects.toBe(away)
    await alone(messages(record(3, 'b')))
    await alone(messages(record(900, 'b')))
    await alone(messages(record(5, 'a')))
    fails.clear()
    await batch(messages(record(5, 'a', 'anew'), record(6, 'a'), record(7, 'x')))
    expect(handled).toEqual(['a5', 'a6', 'b3', 'b900', 'a5', 'anew', 'x7'])
  })

  it('has its offset stored with each batch, so that a failure brings back no batch before it', async () => {
    const { handled, fails, batch } = handling()
    const consumerStore = new MemoryConsumerStore()
    const open = () =>
      partitionOf(memoryTransactions(), consumerStore, {
        handler: batch,
        isTransient,
        logOf: () => Promise.resolve({ first: 0n, next: 5n }),
      })
    const partition = open()
    const { signal } = new AbortController()
    const log = { first: 0n, next: 5n }
    await partition.seek(log)
    await partition.handle([record(0, 'k'), record(1, 'k')], signal)
    fails.set('x3', away)
    const second = [record(2, 'k'), record(3, 'x'), record(4, 'k')]
    await expect(partition.handle(second, signal)).rejects.toBe(away)
    // From the last record of the batch that is done: to see that it is the same log.
    expect(await partition.seek(log)).toBe(1n)
    fails.clear()
    await partition.handle([record(1, 'k'), ...second], signal)
    expect(handled.filter((name) => name.startsWith('k'))).toEqual(['k0', 'k1', 'k2', 'k4'])
    expect((await consumerStore.progress('readers', place, 0n)).next).toBe(5n)
    // Another process goes on behind it.
    expect(await open().seek(log)).toBe(4n)
  })
})
