import { describe, expect, it } from '@jest/globals'
import { streamName } from '#event-store'
import { eventStoreConformance, memoryEventStore, MemoryStoreData, runAgainstModel, waves } from '#event-store/testing'
import { systemClock } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import fc from 'fast-check'
import { change, publishTally, tally, tallyType } from './tally.js'

eventStoreConformance('memory', async () => {
  const data = new MemoryStoreData()
  return {
    open: async (options) => memoryEventStore({ ...options, data, clock: systemClock, app: 'test' }),
    transactions: memoryTransactions(),
    close: async () => undefined,
  }
})

describe('the event store in memory', () => {
  const options = { types: [tallyType], publish: publishTally, clock: systemClock, app: 'test' }

  it('gives each command an answer that its history explains', async () => {
    await fc.assert(
      fc.asyncProperty(waves(4, 12), async (groups) => {
        const data = new MemoryStoreData('one')
        await runAgainstModel([memoryEventStore({ ...options, data }), memoryEventStore({ ...options, data })], groups, 'm')
      }),
    )
  })

  it('keeps after a crash what was committed, and nothing of an open transaction', async () => {
    const data = new MemoryStoreData()
    const store = memoryEventStore({ ...options, data })
    await store.execute(change('c-1', 'crash', 1))
    const open = Promise.withResolvers<void>()
    const dying = memoryTransactions().run(async (tx) => {
      await store.executeAll([change('c-2', 'crash', 10)], tx)
      data.crash()
      await open.promise
    })
    const restarted = memoryEventStore({ ...options, data })
    expect((await restarted.execute(change('c-3', 'crash', 1))).answer).toBe('total 2')
    open.resolve()
    await expect(dying).rejects.toThrow('killed')
    expect((await restarted.load(tally('crash'))).state.total).toBe(2)
    expect(streamName(tally('crash'))).toBe('tally-crash')
  })

  it('makes others wait while a transaction holds it', async () => {
    const store = memoryEventStore(options)
    let waiting: Promise<unknown> = Promise.resolve()
    await memoryTransactions().run(async (tx) => {
      await store.executeAll([change('h-1', 'held', 1)], tx)
      waiting = store.execute(change('h-2', 'held', 1))
      expect((await store.load(tally('held'))).version).toBe(0)
    })
    expect(await waiting).toEqual({ answer: 'total 2', replayed: false })
  })
})
