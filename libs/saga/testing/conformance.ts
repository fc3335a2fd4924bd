import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Transactions } from '#kernel'
import { sagaIdFor } from '../ids.js'
import type { SagaChanges, SagaInstance, SagaStore, SagaTask } from '../store.js'

export interface StoreUnderTest {
  readonly store: SagaStore
  readonly transactions: Transactions
  close(): Promise<void>
}

const T0 = Date.UTC(2026, 0, 1)

/** What every saga store does alike. `make` gives an empty one. */
export const sagaStoreConformance = (name: string, make: () => Promise<StoreUnderTest>): void => {
  describe(`saga store: ${name}`, () => {
    let under: StoreUnderTest
    let count = 0
    beforeAll(async () => {
      under = await make()
    })
    afterAll(() => under.close())

    const save = (changes: Partial<SagaChanges>) =>
      under.transactions.run((tx) => under.store.save({ instances: [], tasks: [], removed: [], ...changes }, tx))
    const newId = () => sagaIdFor('test', `key-${++count}`)
    const instance = (more: Partial<SagaInstance> = {}): SagaInstance => {
      const id = newId()
      return { id, type: 'test', definition: 1, correlationKey: id, status: 'RUNNING', version: 1, startedAt: T0, updatedAt: T0, ...more }
    }
    const task = (dueAt: number, more: Partial<SagaTask> = {}): SagaTask => ({
      sagaId: newId(),
      name: 'timer',
      dueAt,
      correlationId: 'c',
      ...more,
    })
    const claim = (now: number, limit = 100) => under.store.claim({ now, limit, lease_ms: 1_000 })

    it('gives each due task to one claimer, the longest due first, and again after its lease, under a higher epoch', async () => {
      const run = { activity: 'call', attempt: 1, input: { amount: '5' }, startedAt: T0 }
      const tasks = [task(T0 + 2), task(T0 + 1, { name: 'call', run }), task(T0 + 50)]
      await save({ tasks })
      expect(await under.store.nextDue()).toBe(T0 + 1)
      const first = await claim(T0 + 10, 1)
      expect(first).toEqual([{ ...tasks[1], dueAt: T0 + 1_010, epoch: expect.any(BigInt) }])
      const rest = await Promise.all([claim(T0 + 10), claim(T0 + 10)])
      expect(rest.flat().map(({ sagaId }) => sagaId)).toEqual([tasks[0]?.sagaId])
      const again = await claim(T0 + 2_000)
      expect(again.map(({ sagaId }) => sagaId).sort()).toEqual(tasks.map(({ sagaId }) => sagaId).sort())
      const epochs = [...first, ...rest.flat(), ...again].map(({ epoch }) => epoch)
      expect(new Set(epochs).size).toBe(epochs.length)
      const mine = again.find(({ name }) => name === 'call')
      expect(mine && first[0] && mine.epoch > first[0].epoch).toBe(true)
      await save({ removed: tasks })
      expect(await under.store.nextDue()).toBeUndefined()
    })

    it('replaces a task in place, and never gives an epoch twice, also after the task was away', async () => {
      const one = task(T0)
      await save({ tasks: [one] })
      const [before] = await claim(T0)
      await save({ tasks: [{ ...one, dueAt: T0 + 5 }] })
      expect(await under.store.nextDue()).toBe(T0 + 5)
      await save({ removed: [one] })
      await save({ tasks: [one] })
      const [after] = await claim(T0)
      expect(before && after && after.epoch > before.epoch).toBe(true)
      await save({ removed: [one] })
    })

    it('says which claims nobody has taken since', async () => {
      const tasks = [task(T0), task(T0 + 1), task(T0 + 2)]
      await save({ tasks })
      const claims = await claim(T0 + 2)
      const [first, second, third] = claims
      await save({ removed: claims.slice(1, 2) })
      const [again] = await claim(T0 + 5_000, 1)
      const held = (...asked: typeof claims) => under.transactions.run((tx) => under.store.held(asked, tx))
      expect(again?.sagaId).toBe(first?.sagaId)
      expect([...(await held(...claims))]).toEqual([2])
      expect(first && second && third && again && [...(await held(third, second, again, first))].sort()).toEqual([0, 2])
      expect([...(await held())]).toEqual([])
      await save({ removed: tasks })
    })

    it("frees the tasks of a worker that no longer says it lives, at once and nobody else's", async () => {
      const beat = (worker: bigint | undefined, now: number) => under.store.beat({ worker, now, until: now + 3_000 })
      const [one, two] = [await beat(undefined, T0), await beat(undefined, T0)]
      expect(one).not.toBe(two)
      const [ofOne, ofTwo, ofNobody] = [task(T0), task(T0 + 1), task(T0 + 2)]
      const long = { limit: 1, lease_ms: 600_000 }
      await save({ tasks: [ofOne, ofTwo, ofNobody] })
      await under.store.claim({ ...long, now: T0, worker: one })
      await under.store.claim({ ...long, now: T0 + 1, worker: two })
      await under.store.claim({ ...long, now: T0 + 2 })
      // Both live: nothing is due.
      expect([await beat(one, T0 + 2_000), await beat(two, T0 + 2_000)]).toEqual([one, two])
      expect(await claim(T0 + 4_000)).toEqual([])
      // One of them falls silent, and whoever sleeps hears of it.
      let rings = 0
      const bell = await under.store.onDoorbell(() => rings++)
      const before = rings
      expect(await beat(two, T0 + 6_000)).toBe(two)
      for (let tries = 0; rings === before && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
      expect(rings).toBeGreaterThan(before)
      await bell.close()
      expect((await claim(T0 + 6_000)).map(({ sagaId }) => sagaId)).toEqual([ofOne.sagaId])
      // It comes back as another, and what the second holds stays its own.
      const back = await beat(one, T0 + 7_000)
      expect(back).not.toBe(one)
      expect(await beat(back, T0 + 7_500)).toBe(back)
      expect((await claim(T0 + 7_000)).map(({ sagaId }) => sagaId)).toEqual([ofOne.sagaId])
      await save({ removed: [ofOne, ofTwo, ofNobody] })
      expect(await beat(undefined, T0 + 60_000)).not.toBe(back)
    })

    it('keeps nothing of a transaction that was rolled back', async () => {
      const lost = instance()
      const failure = under.transactions.run(async (tx) => {
        await under.store.save({ instances: [lost], tasks: [task(T0)], removed: [] }, tx)
        throw new Error('no')
      })
      await expect(failure).rejects.toThrow('no')
      expect(await under.store.instance(lost.id)).toBeUndefined()
      expect(await under.store.nextDue()).toBeUndefined()
    })

    it('lists by type, status and how long nothing happened, page by page', async () => {
      const type = `listed-${newId().slice(0, 8)}`
      const rows = [
        instance({ type, status: 'COMPLETED' }),
        instance({ type, step: 'pay', waitingFor: 'answer to pay' }),
        instance({ type, status: 'NEEDS_ATTENTION', updatedAt: T0 + 100 }),
      ].sort((a, b) => (a.id < b.id ? 1 : -1))
      await save({ instances: rows })
      expect(await under.store.list({ type }, { limit: 10 })).toEqual(rows)
      const [first] = await under.store.list({ type }, { limit: 1 })
      expect(await under.store.list({ type }, { limit: 10, before: first?.id ?? '' })).toEqual(rows.slice(1))
      expect(await under.store.list({ type, status: 'COMPLETED' }, { limit: 10 })).toEqual(rows.filter((row) => row.status === 'COMPLETED'))
      expect(await under.store.list({ type, stuckSince: T0 + 50 }, { limit: 10 })).toEqual(rows.filter((row) => row.status === 'RUNNING'))
      const moved = rows.map((row) => ({ ...row, status: 'COMPLETED' as const, version: 2, updatedAt: T0 + 200 }))
      await save({ instances: moved })
      expect(await under.store.counts()).toContainEqual({ type, status: 'COMPLETED', count: 3 })
    })

    it('knows which definitions are still in use', async () => {
      const type = `used-${newId().slice(0, 8)}`
      const rows = [
        instance({ type, definition: 1, status: 'COMPENSATED' }),
        instance({ type, definition: 2 }),
        instance({ type, definition: 2 }),
      ]
      await save({ instances: rows })
      const used = (await under.store.definitionsInUse()).filter((each) => each.type === type)
      const examples = rows
        .slice(1)
        .map(({ id }) => id)
        .sort()
      expect(used).toEqual([{ type, version: 2, count: 2, examples }])
      expect((await under.store.list({ type, definition: 2 }, { limit: 10 })).length).toBe(2)
    })

    it('rings when tasks were saved', async () => {
      let rings = 0
      const bell = await under.store.onDoorbell(() => rings++)
      const before = rings
      const one = task(T0)
      await save({ tasks: [one] })
      for (let tries = 0; rings === before && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
      expect(rings).toBeGreaterThan(before)
      await bell.close()
      await save({ removed: [one] })
    })
  })
}
