import { systemRandom, type Clock, type JsonObject, type MessageContext, type Random, type Transaction, type Transactions } from '#kernel'
import { isTransient } from '#messaging'
import { readTrace, withTrace, type Tracing } from '#tracing'
import type { SagaEngine } from './engine.js'
import type { ActivityOutcome, InputAnswer, SagaInput } from './input.js'
import type { SagaState } from './state.js'
import type { ClaimedTask, SagaStore, TakingAtSave } from './store.js'
import { TimeLimit } from './time-limit.js'

/** One run of an activity. */
export interface ActivityRun {
  readonly sagaId: string
  /** The idempotency key: the same for every run of the same call. */
  readonly key: string
  /** From 1. Above 1 an earlier run ended unknown: ask before doing. A run that died with its process is not counted. */
  readonly attempt: number
  readonly input: JsonObject
  /** When the call first went out, milliseconds since the epoch. */
  readonly startedAt: number
  readonly now: number
}

/** I/O on a saga's behalf. Idempotent by `run.key`. What it throws counts as unknown. */
export type Activity = (run: ActivityRun, signal: AbortSignal) => Promise<ActivityOutcome>

export interface SagaWorkerPorts {
  readonly engine: Pick<SagaEngine, 'applyAndTake'>
  readonly store: Pick<SagaStore, 'claim' | 'held' | 'beat' | 'dueIn' | 'onDoorbell'>
  readonly transactions: Transactions
  readonly clock: Clock
  readonly activities: Readonly<Record<string, Activity>>
  readonly random?: Random
  /** Where spans are kept: one for each run of an activity. */
  readonly tracing?: Tracing | undefined
  readonly onError?: (error: unknown, during: string) => void
}

export interface SagaWorkerOptions {
  /** Activities at once; 64. */
  readonly concurrency: number
  /** Tasks claimed, and inputs applied, in one transaction; 100. */
  readonly batch: number
  /** Inputs that wait to be applied, 10,000; more are `SagaWorkerOverloaded`. */
  readonly maxQueued: number
  /** A task that was taken and not settled is due again after this, though its worker lives; 10 s. Longer than `timeout_ms`. */
  readonly lease_ms: number
  /** How often it says that it lives; 1 s. One that was not heard for three times as long is dead, and its tasks are due at once. */
  readonly beat_ms: number
  /** A run is aborted, and unknown, after this; 8 s. */
  readonly timeout_ms: number
  /** The slow poll behind the doorbell; 5 s. */
  readonly poll_ms: number
}

const DEFAULTS: SagaWorkerOptions = {
  concurrency: 64,
  batch: 100,
  maxQueued: 10_000,
  lease_ms: 10_000,
  beat_ms: 1_000,
  timeout_ms: 8_000,
  poll_ms: 5_000,
}
const BEATS_TO_DEATH = 3
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 1_000

/** Transactions at once: while PostgreSQL writes one, the next is thought through. The store's lock lets no third gain anything. */
const LANES = 2

/** What is to be applied: what came of a claimed task, or what somebody submitted and waits for. */
interface Work {
  readonly input: SagaInput
  readonly task?: ClaimedTask
  readonly answered?: PromiseWithResolvers<InputAnswer>
}

/** More inputs wait than the worker takes. */
export class SagaWorkerOverloaded extends Error {
  constructor(queued: number) {
    super(`${queued} inputs wait to be applied to sagas`)
  }
}

/**
 * Fires timers and runs activities from their rows, and applies what it is given. Any number of workers, in any process, share the rows.
 * What many sagas came to while a commit was under way goes together into the next, and who settles a step runs the one behind it: a saga
 * whose steps all run here costs a share of one commit a step. Nothing runs before what led to it is durable.
 */
export class SagaWorker {
  readonly #options: SagaWorkerOptions
  readonly #limit: TimeLimit
  /** Runs under way, and those that were taken or may yet be by transactions under way. */
  #running = 0
  #queue: Work[] = []
  #lanes = 0
  /** A lane is to begin with what waits: no other begins before it has left the other half. */
  #opening = false
  /** There was no room for what may be due. */
  #starved = false
  /** Who waits for a saga's end, each alone. */
  readonly #ends = new Map<string, Set<PromiseWithResolvers<SagaState>>>()
  #loop: Promise<void> | undefined
  #wake = new AbortController()
  #idle = Promise.withResolvers<void>()
  #rung = false
  #stopped = false
  /** Nothing is under way any more. */
  #over = false
  #bell: { close(): Promise<void> } | undefined
  #beats: Promise<void> | undefined
  readonly #end = new AbortController()
  /** Its number among those who live; none before its first beat. */
  #worker: bigint | undefined

  constructor(
    private readonly ports: SagaWorkerPorts,
    options: Partial<SagaWorkerOptions> = {},
  ) {
    this.#options = { ...DEFAULTS, ...options }
    if (this.#options.lease_ms <= this.#options.timeout_ms) throw new RangeError('a lease must outlast the time-out of a run')
    this.#limit = new TimeLimit(ports.clock, this.#options.timeout_ms)
  }

  /** Claims one batch of what is due now, runs it and applies what came of it. Answers how many tasks it took. */
  async runDue(): Promise<number> {
    const tasks = await this.#claim(this.#options.batch)
    const done = await Promise.all(tasks.map((task) => this.#perform(task)))
    if (done.length > 0) await this.#apply(done)
    return tasks.length
  }

  async start(): Promise<void> {
    this.#bell = await this.ports.store.onDoorbell(() => this.ring())
    this.#beats = this.#beat()
    this.#loop = this.#work()
  }

  /** Takes nothing new, waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.ring()
    await this.#bell?.close()
    await this.#loop
    for (const waiting of this.#ends.values()) for (const { reject } of waiting) reject(new Error('the worker stopped'))
    this.#ends.clear()
    this.#over = true
    this.#end.abort(new Error('stopped'))
    await this.#beats
  }

  ring(): void {
    this.#rung = true
    this.#wake.abort(new Error('rung'))
  }

  /** Applies an input together with what else is to be applied. Resolves once it is durable; rejects when it is not known to be. */
  submit(input: SagaInput): Promise<InputAnswer> {
    if (this.#stopped) return Promise.reject(new Error('the worker stopped'))
    if (this.#queue.length >= this.#options.maxQueued) return Promise.reject(new SagaWorkerOverloaded(this.#queue.length))
    const answered = Promise.withResolvers<InputAnswer>()
    this.#enqueue({ input, answered })
    return answered.promise
  }

  /**
   * The saga as this worker ends it. Ask before it is started; another process may end it, so bound the wait by `signal`. Rejects with the signal's
   * reason, and where the worker stops.
   */
  async ended(sagaId: string, signal: AbortSignal): Promise<SagaState> {
    signal.throwIfAborted()
    if (this.#over) throw new Error('the worker stopped')
    const mine = Promise.withResolvers<SagaState>()
    const waiting = this.#ends.get(sagaId) ?? new Set()
    this.#ends.set(sagaId, waiting.add(mine))
    const forget = () => {
      waiting.delete(mine)
      if (waiting.size === 0 && this.#ends.get(sagaId) === waiting) this.#ends.delete(sagaId)
      mine.reject(signal.reason)
    }
    signal.addEventListener('abort', forget, { once: true })
    return mine.promise.finally(() => signal.removeEventListener('abort', forget))
  }

  async #work(): Promise<void> {
    const { batch, concurrency, poll_ms } = this.#options
    while (!this.#stopped) {
      this.#rung = false
      const room = Math.min(batch, concurrency - this.#running)
      this.#starved = room <= 0
      try {
        const tasks = room > 0 ? await this.#claim(room) : []
        for (const task of tasks)
          if (task.run) this.#spawn(task)
          else this.#enqueue({ task, input: timerInput(task) })
        if (room > 0 && tasks.length === room) continue
        const next_ms = room > 0 ? await this.ports.store.dueIn() : undefined
        await this.#sleep(next_ms === undefined ? poll_ms : Math.min(Math.max(next_ms, 1), poll_ms))
      } catch (error) {
        this.ports.onError?.(error, 'claim')
        await this.#sleep(poll_ms)
      }
    }
    while (this.#running > 0 || this.#lanes > 0) {
      this.#idle = Promise.withResolvers<void>()
      await this.#idle.promise
    }
  }

  #spawn(task: ClaimedTask): void {
    this.#running++
    void this.#perform(task).then((done) => this.#enqueue(done))
  }

  #enqueue(work: Work): void {
    this.#queue.push(work)
    this.#openLane()
  }

  #openLane(): void {
    if (this.#opening || this.#lanes >= LANES || this.#queue.length === 0) return
    this.#opening = true
    this.#lanes++
    // A little later, so that what comes together goes together.
    queueMicrotask(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    this.#opening = false
    while (this.#queue.length > 0) {
      // Half, where the other half can go beside it: the one is thought through while the other is written.
      const share = this.#lanes < LANES ? Math.ceil(this.#queue.length / 2) : this.#queue.length
      const work = this.#queue.splice(0, Math.min(share, this.#options.batch))
      this.#openLane()
      const ran = work.filter(({ task }) => task?.run).length
      // Room for the runs that this leads to, and no more, for the other lane needs some too; those that ran hand theirs on.
      const room = this.#stopped ? 0 : Math.max(Math.min(work.length, this.#options.concurrency - this.#running), 0)
      this.#running += room
      const taken = await this.#apply(work, this.#stopped ? 0 : room + ran)
      this.#running -= room + ran
      for (const task of taken) this.#spawn(task)
      if (this.#starved && taken.length < room + ran) this.ring()
    }
    this.#lanes--
    this.#idle.resolve()
  }

  #claim(limit: number): Promise<readonly ClaimedTask[]> {
    const worker = this.#worker === undefined ? {} : { worker: this.#worker }
    return this.ports.store.claim({ limit, lease_ms: this.#options.lease_ms, ...worker })
  }

  /** A beat that fails is made up for by the next; should they all, others take over, and this one's claims no longer hold. */
  async #beat(): Promise<void> {
    const { clock, store, onError } = this.ports
    const { beat_ms } = this.#options
    const { signal } = this.#end
    while (!signal.aborted) {
      await store.beat({ worker: this.#worker, alive_ms: BEATS_TO_DEATH * beat_ms }).then(
        (worker) => void (this.#worker = worker),
        (error: unknown) => onError?.(error, 'beat'),
      )
      await clock.sleep(beat_ms, signal).catch(() => undefined)
    }
  }

  /**
   * All in one transaction. While the database is away all wait for it together, for as long as their lease; where one of them is what fails
   * each is applied alone, so that one poisoned saga does not hold up the others. Lost ones are due again. Answers the runs that it took.
   */
  async #apply(work: readonly Work[], take = 0): Promise<readonly ClaimedTask[]> {
    const { clock, transactions, random = systemRandom } = this.ports
    const until = clock.now() + this.#options.lease_ms
    for (let attempt = 0; ; attempt++) {
      try {
        let taken: readonly ClaimedTask[] = []
        const taking = { limit: take, lease_ms: this.#options.lease_ms, taken: (tasks: readonly ClaimedTask[]) => void (taken = tasks) }
        const applied = await transactions.run((tx) => this.#applyHeld(work, tx, taking))
        for (const [{ answered }, answer] of applied.answers) answered?.resolve(answer)
        for (const state of applied.ended) this.#tellEnd(state)
        return taken
      } catch (error) {
        const passes = isTransient(error)
        const pause_ms = Math.min(FIRST_RETRY_MS * 2 ** attempt, LAST_RETRY_MS) * (0.5 + random.next())
        if (passes && !this.#stopped && clock.now() + pause_ms < until) await clock.sleep(pause_ms)
        else if (passes || work.length === 1) return this.#giveUp(work, error)
        else break
      }
    }
    const taken: ClaimedTask[] = []
    for (const each of work) taken.push(...(await this.#apply([each], take - taken.length)))
    return taken
  }

  #giveUp(work: readonly Work[], error: unknown): readonly ClaimedTask[] {
    this.ports.onError?.(error, `apply to ${work.length} sagas, such as ${work[0]?.input.sagaId}`)
    for (const { answered } of work) answered?.reject(error)
    return []
  }

  #tellEnd(state: SagaState): void {
    for (const { resolve } of this.#ends.get(state.id) ?? []) resolve(state)
    this.#ends.delete(state.id)
  }

  /** What is known stays true whoever tells it. That a run learned nothing, and that a time is over, only the holder of the task may say. */
  async #applyHeld(work: readonly Work[], tx: Transaction, taking: TakingAtSave) {
    const { store, engine } = this.ports
    const doubtful = work.flatMap((each) => (each.task && !tellsFact(each.input) ? [{ each, task: each.task }] : []))
    const claims = doubtful.map(({ task }) => task)
    const held = claims.length === 0 ? undefined : await store.held(claims, tx)
    const lost = new Set(doubtful.flatMap(({ each }, nth) => (held?.has(nth) ? [] : [each])))
    const kept = work.filter((each) => !lost.has(each))
    if (kept.length === 0) return { answers: [], ended: [] }
    const take = { ...taking, ...(this.#worker === undefined ? {} : { worker: this.#worker }) }
    const { answers, ended } = await engine.applyAndTake(
      kept.map(({ input }) => input),
      tx,
      take,
    )
    return { answers: kept.flatMap((each, nth) => (answers[nth] ? [[each, answers[nth]] as const] : [])), ended }
  }

  async #perform(task: ClaimedTask): Promise<Work> {
    return { task, input: task.run ? await this.#run(task, task.run) : timerInput(task) }
  }

  async #run(task: ClaimedTask, { activity, attempt, input, startedAt, traceparent }: NonNullable<ClaimedTask['run']>): Promise<SagaInput> {
    const attributes = { 'bahi.correlation_id': task.correlationId, 'bahi.saga.attempt': attempt }
    const span = this.ports.tracing?.start(`run ${activity}`, { parent: traceparent, attributes })
    const trace = span?.trace ?? readTrace(traceparent)
    const run = { sagaId: task.sagaId, key: task.name, attempt, input, startedAt, now: this.ports.clock.now() }
    let outcome: ActivityOutcome
    try {
      const perform = this.ports.activities[activity]
      if (!perform) throw new Error(`no activity ${activity}`)
      const inTime = () => this.#inTime((signal) => perform(run, signal))
      outcome = await (trace ? withTrace(trace, inTime) : inTime())
    } catch (error) {
      this.ports.onError?.(error, activity)
      outcome = { outcome: 'unknown', detail: error instanceof Error ? error.name : 'thrown' }
    }
    span?.set({ 'bahi.outcome': outcome.outcome })
    span?.end()
    const context = { ...contextOf(task), ...(trace ? { traceparent: trace.traceparent } : {}) }
    return { kind: 'outcome', id: `${task.name}/${task.epoch}`, sagaId: task.sagaId, context, key: task.name, outcome }
  }

  /** Aborts it when its time is over, and does not wait for one that does not listen. */
  async #inTime(perform: (signal: AbortSignal) => Promise<ActivityOutcome>): Promise<ActivityOutcome> {
    const over = new AbortController()
    const late = Promise.withResolvers<ActivityOutcome>()
    const done = this.#limit.begin(() => {
      over.abort(new DOMException('the run took too long', 'TimeoutError'))
      late.resolve({ outcome: 'unknown', detail: 'no answer in time' })
    })
    try {
      return await Promise.race([perform(over.signal), late.promise])
    } finally {
      done()
    }
  }

  async #sleep(pause_ms: number): Promise<void> {
    if (this.#rung && !this.#stopped) return
    this.#wake = new AbortController()
    await this.ports.clock.sleep(pause_ms, this.#wake.signal).catch(() => undefined)
  }
}

const tellsFact = (input: SagaInput): boolean => input.kind === 'outcome' && input.outcome.outcome !== 'unknown'

const timerInput = (task: ClaimedTask): SagaInput => ({
  kind: 'timer',
  id: `${task.sagaId}/${task.name}/${task.epoch}`,
  sagaId: task.sagaId,
  context: contextOf(task),
})

const contextOf = (task: ClaimedTask): MessageContext => ({ correlationId: task.correlationId, causationId: `${task.name}/${task.epoch}` })
