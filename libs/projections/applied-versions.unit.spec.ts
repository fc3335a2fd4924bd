import { FakeClock, memoryTransactions } from '#kernel/testing'
import { describe, expect, it } from '@jest/globals'
import { AppliedVersions, type AppliedVersionsOptions, type RowStore } from '#projections'
import { memoryRows } from '#projections/testing'

const A = '0190a000-0000-7000-8000-00000000000a'
const B = '0190b000-0000-7000-8000-00000000000b'
const settled = () => new Promise((resolve) => setImmediate(resolve))

const world = (more: Partial<AppliedVersionsOptions> = {}) => {
  const rows = memoryRows()
  const transactions = memoryTransactions()
  const clock = new FakeClock()
  let reads = 0
  const counted: RowStore = { ...rows, applied: (streams) => (reads++, rows.applied(streams)) }
  return {
    clock,
    reads: () => reads,
    applied: new AppliedVersions({ rows: counted, clock, categories: ['order', 'stock'], ...more }),
    apply: (stream: string, version: number, incarnation = A) =>
      transactions.run((tx) => rows.advance(tx, [{ stream, incarnation, version: BigInt(version) }])),
  }
}

describe('waiting for what a token names', () => {
  it('is over at once for what is applied, and for streams of kinds that are not projected here', async () => {
    const { applied, apply, reads } = world()
    await apply('order-1', 3)
    expect(await applied.waitFor({ incarnation: A, streams: { 'order-1': 2, 'saga-7': 9, 'orderly-1': 1 } }, 'c-1')).toBe(true)
    expect(await applied.waitFor({ incarnation: A, streams: { 'saga-7': 9 } }, 'c-1')).toBe(true)
    expect(reads()).toBe(1)
  })

  it('wakes when the last of the streams is applied in this process, without the clock moving', async () => {
    const { applied, apply } = world()
    const waiting = applied.waitFor({ incarnation: A, streams: { 'order-1': 2, 'stock-s': 5 } }, 'c-1')
    await settled()
    await apply('order-1', 2)
    expect(await Promise.race([waiting, settled().then(() => 'still waiting')])).toBe('still waiting')
    await apply('stock-s', 7)
    expect(await waiting).toBe(true)
  })

  it('gives up when the time is over, and leaves no sleeper behind', async () => {
    const { applied, apply, clock } = world()
    await apply('order-1', 1)
    const waiting = applied.waitFor({ incarnation: A, streams: { 'order-1': 2 } }, 'c-1', 60_000)
    for (let step = 0; step < 19; step++) {
      await settled()
      clock.advance(100)
    }
    expect(await Promise.race([waiting, settled().then(() => 'still waiting')])).toBe('still waiting')
    clock.advance(100)
    expect(await waiting).toBe(false)
    await settled()
    expect(clock.nextWake()).toBeUndefined()
  })

  it('compares incarnations: what a restored store told before is not there for certain, and its own tokens wait for it', async () => {
    const { applied, apply } = world()
    await apply('order-1', 9, A)
    const own = applied.waitFor({ incarnation: B, streams: { 'order-1': 4 } }, 'c-1')
    await settled()
    await apply('order-1', 4, B)
    expect(await own).toBe(true)
    for (const version of [3, 12]) expect(await applied.waitFor({ incarnation: A, streams: { 'order-1': version } }, 'c-1')).toBe(false)
  })

  it('asks once for many who wait, and turns away more than it has room for', async () => {
    const { applied, apply, reads } = world({ mostWaiting: 50 })
    const waiting = Array.from({ length: 50 }, (_, index) =>
      applied.waitFor({ incarnation: A, streams: { [`order-${index % 5}`]: 1 } }, `c-${index}`),
    )
    expect(await applied.waitFor({ incarnation: A, streams: { 'order-1': 1 } }, 'c-1')).toBe(false)
    for (let index = 0; index < 5; index++) await apply(`order-${index}`, 1)
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([true]))
    expect(reads()).toBeLessThan(12)
    expect(await applied.waitFor({ incarnation: A, streams: { 'order-1': 1 } }, 'c-1')).toBe(true)
  })

  it('turns away more of one caller than its share, and nobody else for it', async () => {
    const { applied, apply } = world({ mostWaitingOfOne: 3 })
    const wait = (caller: string, version = 1) => applied.waitFor({ incarnation: A, streams: { 'order-1': version } }, caller)
    const greedy = Array.from({ length: 3 }, () => wait('c-1'))
    expect(await wait('c-1')).toBe(false)
    const other = wait('c-2')
    await apply('order-1', 1)
    expect(await Promise.all([...greedy, other])).toEqual([true, true, true, true])
    const again = wait('c-1', 2)
    await apply('order-1', 2)
    expect(await again).toBe(true)
  })
})
