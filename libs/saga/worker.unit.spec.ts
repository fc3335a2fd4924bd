import { describe, expect, it } from '@jest/globals'
import { memoryEventStore } from '#event-store/testing'
import { FakeClock, memoryTransactions } from '#kernel/testing'
import type { Transactions } from '#kernel'
import {
  activity,
  defineSaga,
  SagaDefinitions,
  SagaEngine,
  sagaIdFor,
  sagaStream,
  SagaWorker,
  SagaWorkerOverloaded,
  type Activity,
  type SagaInput,
  type SagaTask,
} from '#saga'
import { memorySagaStore } from '#saga/testing'

const unknown: Activity = async () => ({ outcome: 'unknown', detail: 'no answer' })
const succeeded: Activity = async () => ({ outcome: 'succeeded', result: {} })

const setUp = async ({ activity = succeeded, poison = '' }: { activity?: Activity; poison?: string } = {}) => {
  const clock = new FakeClock()
  const world = { failing: undefined as Error | undefined, transactions: 0, storeAhead_ms: 0 }
  const store = memorySagaStore({ now: () => clock.now() + world.storeAhead_ms })
  const memory = memoryTransactions()
  const transactions: Transactions = {
    run: (work) => {
      world.transactions++
      return world.failing ? Promise.reject(world.failing) : memory.run(work)
    },
  }
  const applied: SagaInput[] = []
  const errors: unknown[] = []
  const engine = {
    applyAndTake: async (inputs: readonly SagaInput[]) => {
      if (inputs.some(({ sagaId }) => sagaId === poison)) throw new Error('poison')
      applied.push(...inputs)
      return { answers: [], ended: [] }
    },
  }
  const onError = (error: unknown) => errors.push(error)
  const ports = { engine, store, transactions, clock, activities: { act: activity }, random: { next: () => 0.5 }, onError }
  const task = (key: string): SagaTask => {
    const run = { activity: 'act', attempt: 1, input: {}, startedAt: clock.now() }
    return { sagaId: sagaIdFor('test', key), name: `${sagaIdFor('test', key)}:act`, dueAt: clock.now(), correlationId: 'c', run }
  }
  const put = (...tasks: readonly SagaTask[]) => memory.run((tx) => store.save({ instances: [], tasks, removed: [], now: clock.now() }, tx))
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
    expect(await store.dueIn()).toBeLessThanOrEqual(0)
  })

  it('ends a run whose time is over, whether it listens or not, and no other: its outcome is unknown', async () => {
    const begun: string[] = []
    const aborted: string[] = []
    const { worker, clock, applied, errors, task, put } = await setUp({
      activity: (run, signal) => {
        begun.push(run.sagaId)
        signal.addEventListener('abort', () => aborted.push(run.sagaId))
        return run.sagaId === sagaIdFor('test', 'late') ? new Promise(() => undefined) : succeeded(run, signal)
      },
    })
    await put(task('quick'))
    await worker.runDue()
    await put(task('late'), task('next'))
    const done = worker.runDue()
    await settle()
    clock.advance(7_999)
    await settle()
    expect([begun.length, applied.length, aborted]).toEqual([3, 1, []])
    clock.advance(1)
    await done
    const outcomes = applied.map((input) => [input.sagaId, input.kind === 'outcome' ? input.outcome.outcome : input.kind])
    expect(Object.fromEntries(outcomes)).toEqual({
      [sagaIdFor('test', 'quick')]: 'succeeded',
      [sagaIdFor('test', 'next')]: 'succeeded',
      [sagaIdFor('test', 'late')]: 'unknown',
    })
    expect([aborted, errors, clock.nextWake()]).toEqual([[sagaIdFor('test', 'late')], [], undefined])
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
    const { worker, store, world, applied, task, put } = await setUp({
      activity: async (run, signal) => {
        world.storeAhead_ms = 11_000
        await store.claim({ limit: 10, lease_ms: 10_000 })
        return activity(run, signal)
      },
    })
    await put(task('a'))
    await worker.runDue()
    expect(applied.length).toBe(told)
  })
})

describe('a worker that starts sagas itself', () => {
  const definition = defineSaga({
    type: 'walk',
    version: 1,
    steps: ['one', 'two', 'three'].map((name) => ({ name, does: activity('step', { input: () => ({}) }) })),
  })
  const open = (options: { readonly concurrency?: number; readonly step?: Activity } = {}) => {
    const clock = new FakeClock()
    const store = memorySagaStore(clock)
    const commands = memoryEventStore({ types: [sagaStream], publish: () => [], clock, app: 'test' })
    const engine = new SagaEngine({ commands, store, definitions: new SagaDefinitions([definition]), clock, app: 'test' })
    const counts = { transactions: 0, claims: 0, ran: [] as string[], together: [] as number[] }
    const memory = memoryTransactions()
    const transactions: Transactions = { run: (work) => (counts.transactions++, memory.run(work)) }
    const claim: typeof store.claim = (taking) => (counts.claims++, store.claim(taking))
    const step: Activity = options.step ?? (async ({ key }) => (counts.ran.push(key), { outcome: 'succeeded', result: {} }))
    const applyAndTake: typeof engine.applyAndTake = (inputs, ...more) => (
      counts.together.push(inputs.length),
      engine.applyAndTake(inputs, ...more)
    )
    const ports = { engine: { applyAndTake }, store: { ...store, claim }, transactions, clock, activities: { step } }
    const worker = new SagaWorker(ports, { concurrency: options.concurrency ?? 64, maxQueued: 200 })
    const start = (key: string): SagaInput => {
      const context = { correlationId: key, causationId: 'test' }
      return { kind: 'start', id: key, sagaId: sagaIdFor('walk', key), context, type: 'walk', correlationKey: key, data: {} }
    }
    return { worker, clock, store, counts, start }
  }
  const never = new AbortController().signal

  it('runs each step behind the one before, many sagas to a transaction, without claiming', async () => {
    const { worker, store, counts, start } = open()
    await worker.start()
    const before = counts.claims
    const starts = Array.from({ length: 50 }, (_, nth) => start(`saga ${nth}`))
    const ends = starts.map(({ sagaId }) => worker.ended(sagaId, never))
    const answers = await Promise.all(starts.map((input) => worker.submit(input)))
    const states = await Promise.all(ends)
    expect([answers.every(({ disposition }) => disposition === 'applied'), states.every(({ phase }) => phase === 'completed')]).toEqual([
      true,
      true,
    ])
    expect([counts.ran.length, new Set(counts.ran).size, store.tasks()]).toEqual([150, 150, []])
    // Four turns of fifty sagas: a few dozen transactions at most, not two hundred.
    expect(counts.transactions).toBeLessThan(40)
    expect(counts.claims).toBe(before)
    await worker.stop()
  })

  it('thinks one half of what waits through while the other is written', async () => {
    const { worker, counts, start } = open()
    await worker.start()
    await Promise.all(Array.from({ length: 50 }, (_, nth) => worker.submit(start(`saga ${nth}`))))
    expect(counts.together.slice(0, 2)).toEqual([25, 25])
    await worker.stop()
  })

  it('runs no more at once than it may, and leaves the rest to whoever claims it', async () => {
    let [running, most] = [0, 0]
    const step: Activity = async () => {
      most = Math.max(most, ++running)
      await settle()
      running--
      return { outcome: 'succeeded', result: {} }
    }
    const { worker, counts, start } = open({ concurrency: 4, step })
    await worker.start()
    const starts = Array.from({ length: 30 }, (_, nth) => start(`saga ${nth}`))
    const ends = starts.map(({ sagaId }) => worker.ended(sagaId, never))
    await Promise.all(starts.map((input) => worker.submit(input)))
    await Promise.all(ends)
    expect([most, counts.claims > 1]).toEqual([4, true])
    await worker.stop()
  })

  it('takes so many inputs and no more, and none once it stopped', async () => {
    const { worker, start } = open()
    await worker.start()
    const all = await Promise.allSettled(Array.from({ length: 400 }, (_, nth) => worker.submit(start(`saga ${nth}`))))
    const refused = all.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    expect([refused.length > 0, refused.every((each) => each instanceof SagaWorkerOverloaded)]).toEqual([true, true])
    const stopped = worker.ended(sagaIdFor('walk', 'nobody'), never)
    await Promise.all([worker.stop(), expect(stopped).rejects.toThrow('stopped')])
    await expect(worker.submit(start('late'))).rejects.toThrow('stopped')
  })

  it('gives up waiting for an end when it is told to', async () => {
    const { worker } = open()
    const over = new AbortController()
    const waiting = worker.ended(sagaIdFor('walk', 'nobody'), over.signal)
    over.abort(new Error('long enough'))
    await expect(waiting).rejects.toThrow('long enough')
  })

  it('tells an end to each who waits for it: one that gives up takes it from no other', async () => {
    const { worker, start } = open()
    await worker.start()
    const input = start('saga')
    const impatient = new AbortController()
    const patient = [worker.ended(input.sagaId, impatient.signal), worker.ended(input.sagaId, never), worker.ended(input.sagaId, never)]
    impatient.abort(new Error('long enough'))
    await expect(patient.shift()).rejects.toThrow('long enough')
    await worker.submit(input)
    for (const each of patient) expect(await each).toMatchObject({ id: input.sagaId, phase: 'completed' })
    await worker.stop()
  })

  it('lets nobody wait who gave up before, or came after it stopped', async () => {
    const { worker } = open()
    await worker.start()
    const nobody = sagaIdFor('walk', 'nobody')
    await expect(worker.ended(nobody, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    await worker.stop()
    await expect(worker.ended(nobody, never)).rejects.toThrow('stopped')
  })
})
