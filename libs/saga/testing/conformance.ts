import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Transactions } from '#kernel'
import { sagaIdFor } from '../ids.js'
import type { ClaimedTask, SagaChanges, SagaInstance, SagaStore, SagaTask } from '../store.js'

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
      under.transactions.run((tx) => under.store.save({ instances: [], tasks: [], removed: [], now: T0, ...changes }, tx))
    const newId = () => sagaIdFor('test', `key-${++count}`)
    const instance = (more: Partial<SagaInstance> = {}): SagaInstance => {
      const id = newId()
      return { id, type: 'test', definition: 1, correlationKey: id, status: 'RUNNING', version: 1, startedAt: T0, updatedAt: T0, ...more }
    }
    /** `dueAt` is by a clock that stands at T0 whenever something is saved. */
    const task = (dueAt: number, more: Partial<SagaTask> = {}): SagaTask => ({
      sagaId: newId(),
      name: 'timer',
      dueAt,
      correlationId: 'c',
      ...more,
    })
    const LONG = { limit: 100, lease_ms: 600_000 }
    const ids = (tasks: readonly { sagaId: string }[]) => tasks.map(({ sagaId }) => sagaId)
    const passes = (delay_ms: number) => new Promise((resolve) => setTimeout(resolve, delay_ms))
    /** What can be claimed, once as many can: the store's clock goes on by itself. */
    const claimed = async (count: number, lease_ms = LONG.lease_ms) => {
      const tasks = [...(await under.store.claim({ limit: count, lease_ms }))]
      for (let tries = 0; tasks.length < count && tries < 500; tries++) {
        await passes(10)
        tasks.push(...(await under.store.claim({ limit: count - tasks.length, lease_ms })))
      }
      return tasks
    }

    it('gives each due task to one claimer, the longest due first, and again after its lease, under a higher epoch', async () => {
      const run = { activity: 'call', attempt: 1, input: { amount: '5' }, startedAt: T0 }
      const tasks = [task(T0 - 1_000), task(T0 - 2_000, { name: 'call', run }), task(T0 + 60_000)]
      await save({ tasks })
      expect(await under.store.dueIn()).toBeLessThanOrEqual(-2_000)
      const first = await under.store.claim({ limit: 1, lease_ms: 200 })
      expect(first).toEqual([{ ...tasks[1], dueAt: expect.any(Number), epoch: expect.any(BigInt) }])
      const rest = await Promise.all([under.store.claim({ ...LONG, lease_ms: 200 }), under.store.claim({ ...LONG, lease_ms: 200 })])
      expect(ids(rest.flat())).toEqual(ids(tasks.slice(0, 1)))
      const again = await claimed(2)
      expect(ids(again).sort()).toEqual(ids(tasks.slice(0, 2)).sort())
      const epochs = [...first, ...rest.flat(), ...again].map(({ epoch }) => epoch)
      expect(new Set(epochs).size).toBe(epochs.length)
      const mine = again.find(({ name }) => name === 'call')
      expect(mine && first[0] && mine.epoch > first[0].epoch).toBe(true)
      // What is left is due in a minute by the clock that saved it, whatever the store's says.
      await save({ removed: tasks.slice(0, 2) })
      const left_ms = (await under.store.dueIn()) ?? 0
      expect([left_ms > 30_000, left_ms <= 60_000]).toEqual([true, true])
      await save({ removed: tasks })
      expect(await under.store.dueIn()).toBeUndefined()
    })

    it('saves runs that are due at once as taken by who saves them, as many as they want, and the rest for anybody', async () => {
      const worker = await under.store.beat({ worker: undefined, alive_ms: 60_000 })
      const run = { activity: 'call', attempt: 1, input: {}, startedAt: T0 }
      const tasks = [task(T0), task(T0, { name: 'a', run }), task(T0 + 60_000, { name: 'b', run }), task(T0, { name: 'c', run })]
      const changes = { instances: [], removed: [], now: T0, tasks }
      const taken: ClaimedTask[] = []
      const take = { limit: 1, lease_ms: 600_000, worker, taken: (mine: readonly ClaimedTask[]) => void taken.push(...mine) }
      await under.transactions.run((tx) => under.store.save(changes, tx, take))
      expect(taken).toEqual([{ ...tasks[1], epoch: expect.any(BigInt) }])
      expect([...(await under.transactions.run((tx) => under.store.held(taken, tx)))]).toEqual([0])
      expect(ids(await under.store.claim(LONG)).sort()).toEqual(ids([tasks[0], tasks[3]].filter((each) => each !== undefined)).sort())
      // Should it die, they are free.
      await under.store.beat({ worker, alive_ms: -1 })
      await passes(5)
      await under.store.beat({ worker: undefined, alive_ms: 60_000 })
      const [freed] = await claimed(1)
      expect([freed?.name, freed && taken[0] && freed.epoch > taken[0].epoch]).toEqual(['a', true])
      await save({ removed: tasks })
    })

    it('replaces a task in place, and never gives an epoch twice, also after the task was away', async () => {
      const one = task(T0)
      await save({ tasks: [one] })
      const [before] = await claimed(1)
      await save({ tasks: [{ ...one, dueAt: T0 + 60_000 }] })
      expect(await under.store.dueIn()).toBeLessThanOrEqual(60_000)
      await save({ removed: [one] })
      await save({ tasks: [one] })
      const [after] = await claimed(1)
      expect(before && after && after.epoch > before.epoch).toBe(true)
      await save({ removed: [one] })
    })

    it('holds what was put and nothing that was removed, whatever a saga had before', async () => {
      const names = ['timer', 'a', 'b', 'c']
      const subsets = names.reduce<readonly string[][]>((all, name) => all.flatMap((some) => [some, [...some, name]]), [[]])
      const runOf = (name: string, attempt: number) =>
        name === 'timer' ? {} : { run: { activity: name, attempt, input: { attempt }, startedAt: T0 } }
      const sagas = subsets.flatMap((before) => subsets.map((after) => ({ sagaId: newId(), before, after })))
      const of = (sagaId: string, some: readonly string[], attempt: number) =>
        some.map((name) => task(T0, { sagaId, name, ...runOf(name, attempt) }))
      await save({ tasks: sagas.flatMap(({ sagaId, before }) => of(sagaId, before, 2)) })
      const put = sagas.flatMap(({ sagaId, after }) => of(sagaId, after, 1))
      const gone = sagas.flatMap(({ sagaId, before, after }) => of(sagaId, before, 2).filter(({ name }) => !after.includes(name)))
      await save({ tasks: put, removed: gone })
      const found = await under.store.claim({ limit: 10_000, lease_ms: 600_000 })
      const shown = (tasks: readonly SagaTask[]) => tasks.map(({ sagaId, name, run }) => `${sagaId} ${name} ${run?.attempt}`).sort()
      expect(shown(found)).toEqual(shown(put))
      await save({ removed: found })
      expect(await under.store.dueIn()).toBeUndefined()
    })

    it('says which claims nobody has taken since', async () => {
      const tasks = [task(T0 - 3_000), task(T0 - 2_000), task(T0 - 1_000)]
      await save({ tasks })
      const [first] = await under.store.claim({ limit: 1, lease_ms: 1 })
      const rest = await claimed(2)
      const again = rest.find(({ sagaId }) => sagaId === first?.sagaId) ?? (await claimed(1))[0]
      const claims = [first, ...rest.filter((each) => each !== again), again].filter((each) => each !== undefined)
      const removed = rest.find((each) => each !== again)
      await save({ removed: removed ? [removed] : [] })
      const held = (...asked: typeof claims) => under.transactions.run((tx) => under.store.held(asked, tx))
      const stands = claims.flatMap((each, nth) => (each !== first && each !== removed ? [nth] : []))
      expect([...(await held(...claims))].sort()).toEqual(stands)
      expect(stands.length).toBe(claims.length - 2)
      expect([...(await held())]).toEqual([])
      await save({ removed: tasks })
    })

    it("frees the tasks of a worker that no longer says it lives, at once and nobody else's", async () => {
      const beat = (worker: bigint | undefined, alive_ms = 60_000) => under.store.beat({ worker, alive_ms })
      const [one, two] = [await beat(undefined), await beat(undefined)]
      expect(one).not.toBe(two)
      const [ofOne, ofTwo, ofNobody] = [task(T0 - 3_000), task(T0 - 2_000), task(T0 - 1_000)]
      await save({ tasks: [ofOne, ofTwo, ofNobody] })
      for (const worker of [{ worker: one }, { worker: two }, {}]) await under.store.claim({ ...LONG, limit: 1, ...worker })
      // Both live: nothing is due.
      expect([await beat(one), await beat(two)]).toEqual([one, two])
      expect(await under.store.claim(LONG)).toEqual([])
      // One of them falls silent, and whoever sleeps hears of it.
      let rings = 0
      const bell = await under.store.onDoorbell(() => rings++)
      const before = rings
      await beat(one, -1)
      await passes(5)
      expect(await beat(two)).toBe(two)
      for (let tries = 0; rings === before && tries < 200; tries++) await passes(10)
      expect(rings).toBeGreaterThan(before)
      await bell.close()
      // It is first in line, before what has been due for a day.
      const longDue = task(T0 - 86_400_000)
      await save({ tasks: [longDue] })
      expect(ids(await under.store.claim({ ...LONG, limit: 1 }))).toEqual([ofOne.sagaId])
      expect(ids(await under.store.claim(LONG))).toEqual([longDue.sagaId])
      // It comes back as another, and what the second holds stays its own.
      const back = await beat(one)
      expect(back).not.toBe(one)
      expect(await beat(back)).toBe(back)
      expect(await under.store.claim(LONG)).toEqual([])
      await save({ removed: [ofOne, ofTwo, ofNobody, longDue] })
    })

    it('keeps nothing of a transaction that was rolled back', async () => {
      const lost = instance()
      const failure = under.transactions.run(async (tx) => {
        await under.store.save({ instances: [lost], tasks: [task(T0)], removed: [], now: T0 }, tx)
        throw new Error('no')
      })
      await expect(failure).rejects.toThrow('no')
      expect(await under.store.instance(lost.id)).toBeUndefined()
      expect(await under.store.dueIn()).toBeUndefined()
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
      const counted = async () => (await under.store.counts()).filter((each) => each.type === type)
      const open = rows.filter(({ status }) => status !== 'COMPLETED')
      expect(await counted()).toHaveLength(2)
      for (const { status, startedAt } of open) expect(await counted()).toContainEqual({ type, status, count: 1, since_ms: startedAt })
      const moved = rows.map((row) => ({ ...row, status: 'COMPLETED' as const, version: 2, updatedAt: T0 + 200 }))
      await save({ instances: moved })
      expect(await counted()).toEqual([])
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
