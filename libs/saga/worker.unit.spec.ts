import { describe, expect, it } from '@jest/globals'
import { FakeClock, memoryTransactions } from '#kernel/testing'
import type { Transactions } from '#kernel'
import { sagaIdFor, SagaWorker, type Activity, type SagaInput, type SagaTask } from '#saga'
import { memorySagaStore } from '#saga/testing'

const unknown: Activity = async () => ({ outcome: 'unknown', detail: 'no answer' })
const succeeded: Activity = async () => ({ outcome: 'succeeded', result: {} })

const setUp = async ({ activity = succeeded, poison = '' }: { activity?: Activity; poison?: string } = {}) => {
  const clock = new FakeClock()
  const store = memorySagaStore()
  const memory = memoryTransactions()
  const world = { failing: undefined as Error | undefined, transactions: 0 }
  const transactions: Transactions = {
    run: (work) => {
      world.transactions++
      return world.failing ? Promise.reject(world.failing) : memory.run(work)
    },
  }
  const applied: SagaInput[] = []
  const errors: unknown[] = []
  const engine = {
    apply: async (inputs: readonly SagaInput[]) => {
      if (inputs.some(({ sagaId }) => sagaId === poison)) throw new Error('poison')
      applied.push(...inputs)
      return []
    },
  }
  const onError = (error: unknown) => errors.push(error)
  const ports = { engine, store, transactions, clock, activities: { act: activity }, random: { next: () => 0.5 }, onError }
  const task = (key: string): SagaTask => {
    const run = { activity: 'act', attempt: 1, input: {}, startedAt: clock.now() }
    return { sagaId: sagaIdFor('test', key), name: `${sagaIdFor('test', key)}:act`, dueAt: clock.now(), correlationId: 'c', run }
  }
  const put = (...tasks: readonly SagaTask[]) => memory.run((tx) => store.save({ instances: [], tasks, removed: [] }, tx))
  return { worker: new SagaWorker(ports), clock, store, world, applied, errors, task, put }
}

const settle = async () => {
  for (let turns = 0; turns < 50; turns++) await Promise.resolve()
}

describe('a saga worker', () => {
  it('keeps what it learned together while the database is away, and applies it once when it is back', async () => {
    const { worker, clock, world, applied, errors, task, put } = await setUp()
    await put(task('a'), task('b'), task('c'))
    world.failing = Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })
    const done = worker.runDue()
    for (let times = 0; times < 8; times++) {
      await settle()
      clock.advance(500)
    }
    const tried = world.transactions
    expect([tried > 1, tried < 20, applied, errors]).toEqual([true, true, [], []])
    world.failing = undefined
    await settle()
    clock.advance(2_000)
    expect(await done).toBe(3)
    expect([applied.length, world.transactions]).toEqual([3, tried + 1])
  })

  it('waits no longer than its lease: then the tasks are due again', async () => {
    const { worker, clock, world, errors, task, put, store } = await setUp()
    await put(task('a'), task('b'))
    world.failing = Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })
    const done = worker.runDue()
    for (let times = 0; times < 30; times++) {
      await settle()
      clock.advance(500)
    }
    await done
    expect(errors.length).toBe(1)
    expect(await store.nextDue()).toBeLessThanOrEqual(clock.now())
  })

  it('applies the others when one saga fails', async () => {
    const { worker, applied, errors, task, put } = await setUp({ poison: sagaIdFor('test', 'b') })
    await put(task('a'), task('b'), task('c'))
    await worker.runDue()
    expect(applied.map(({ sagaId }) => sagaId).sort()).toEqual(['a', 'c'].map((key) => sagaIdFor('test', key)).sort())
    expect(errors.length).toBe(1)
  })

  it.each([
    ['a fact is told all the same', succeeded, 1],
    ['that nothing was learned is not', unknown, 0],
  ])('once another took its task over, %s', async (_, activity, told) => {
    const { worker, clock, store, applied, task, put } = await setUp({
      activity: async (run, signal) => {
        await store.claim({ now: clock.now() + 11_000, limit: 10, lease_ms: 10_000 })
        return activity(run, signal)
      },
    })
    await put(task('a'))
    await worker.runDue()
    expect(applied.length).toBe(told)
  })
})
