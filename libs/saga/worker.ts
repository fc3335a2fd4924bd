import { systemRandom, type Clock, type JsonObject, type MessageContext, type Random, type Transaction, type Transactions } from '#kernel'
import { isTransient } from '#messaging'
import type { SagaEngine } from './engine.js'
import type { ActivityOutcome, SagaInput } from './input.js'
import type { ClaimedTask, SagaStore } from './store.js'

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
  readonly engine: Pick<SagaEngine, 'apply'>
  readonly store: Pick<SagaStore, 'claim' | 'held' | 'beat' | 'nextDue' | 'onDoorbell'>
  readonly transactions: Transactions
  readonly clock: Clock
  readonly activities: Readonly<Record<string, Activity>>
  readonly random?: Random
  readonly onError?: (error: unknown, during: string) => void
}

export interface SagaWorkerOptions {
  /** Activities at once. */
  readonly concurrency: number
  /** Tasks claimed at once. */
  readonly batch: number
  /** A task that was taken and not settled is due again after this, though its worker lives. Longer than `timeout_ms`. */
  readonly lease_ms: number
  /** How often it says that it lives. One that was not heard for three times as long is dead, and its tasks are due at once. */
  readonly beat_ms: number
  /** A run is aborted, and unknown, after this. */
  readonly timeout_ms: number
  /** The slow poll behind the doorbell. */
  readonly poll_ms: number
}

const DEFAULTS: SagaWorkerOptions = {
  concurrency: 64,
  batch: 100,
  lease_ms: 10_000,
  beat_ms: 1_000,
  timeout_ms: 8_000,
  poll_ms: 5_000,
}
const BEATS_TO_DEATH = 3
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 1_000

/** What came of a claimed task. */
interface Done {
  readonly task: ClaimedTask
  readonly input: SagaInput
}

/** Fires timers and runs activities from their rows. Any number of workers, in any process, share the rows. */
export class SagaWorker {
  readonly #options: SagaWorkerOptions
  #running = 0
  #finished: Done[] = []
  #flushing: Promise<void> | undefined
  #loop: Promise<void> | undefined
  #wake = new AbortController()
  #rung = false
  #stopped = false
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
    await this.#flushing
    this.#end.abort(new Error('stopped'))
    await this.#beats
  }

  ring(): void {
    this.#rung = true
    this.#wake.abort(new Error('rung'))
  }

  async #work(): Promise<void> {
    const { batch, concurrency, poll_ms } = this.#options
    while (!this.#stopped) {
      this.#rung = false
      const room = Math.min(batch, concurrency - this.#running)
      try {
        const tasks = room > 0 ? await this.#claim(room) : []
        const timers = tasks.filter(({ run }) => !run)
        for (const task of tasks) if (task.run) this.#spawn(task)
        if (timers.length > 0) await this.#apply(timers.map((task) => ({ task, input: timerInput(task) })))
        if (room > 0 && tasks.length === room) continue
        const next = room > 0 ? await this.ports.store.nextDue() : undefined
        const pause_ms = next === undefined ? poll_ms : Math.min(Math.max(next - this.ports.clock.now(), 1), poll_ms)
        await this.#sleep(pause_ms)
      } catch (error) {
        this.ports.onError?.(error, 'claim')
        await this.#sleep(poll_ms)
      }
    }
    while (this.#running > 0) await this.#sleep(50)
  }

  #spawn(task: ClaimedTask): void {
    this.#running++
    void this.#perform(task).then((done) => {
      this.#finished.push(done)
      this.#flushing ??= this.#flush()
    })
  }

  /** What finished while a commit was under way goes together into the next. */
  async #flush(): Promise<void> {
    while (this.#finished.length > 0) {
      const done = this.#finished.splice(0, this.#options.batch)
      await this.#apply(done)
      // Not before: what waits to be written takes up room too.
      this.#running -= done.length
      this.ring()
    }
    this.#flushing = undefined
  }

  #claim(limit: number): Promise<readonly ClaimedTask[]> {
    const worker = this.#worker === undefined ? {} : { worker: this.#worker }
    return this.ports.store.claim({ now: this.ports.clock.now(), limit, lease_ms: this.#options.lease_ms, ...worker })
  }

  /** A beat that fails is made up for by the next; should they all, others take over, and this one's claims no longer hold. */
  async #beat(): Promise<void> {
    const { clock, store, onError } = this.ports
    const { beat_ms } = this.#options
    const { signal } = this.#end
    while (!signal.aborted) {
      const now = clock.now()
      await store.beat({ worker: this.#worker, now, until: now + BEATS_TO_DEATH * beat_ms }).then(
        (worker) => void (this.#worker = worker),
        (error: unknown) => onError?.(error, 'beat'),
      )
      await clock.sleep(beat_ms, signal).catch(() => undefined)
    }
  }

  /**
   * All in one transaction. While the database is away all wait for it together, for as long as their lease; where one of them is what fails
   * each is applied alone, so that one poisoned saga does not hold up the others. Lost ones are due again.
   */
  async #apply(done: readonly Done[]): Promise<void> {
    const { clock, transactions, onError, random = systemRandom } = this.ports
    const until = clock.now() + this.#options.lease_ms
    for (let attempt = 0; ; attempt++) {
      try {
        return await transactions.run((tx) => this.#applyHeld(done, tx))
      } catch (error) {
        const passes = isTransient(error)
        const pause_ms = Math.min(FIRST_RETRY_MS * 2 ** attempt, LAST_RETRY_MS) * (0.5 + random.next())
        if (passes && !this.#stopped && clock.now() + pause_ms < until) await clock.sleep(pause_ms)
        else if (passes || done.length === 1) return onError?.(error, `apply to ${done.length} sagas, such as ${done[0]?.input.sagaId}`)
        else break
      }
    }
    for (const each of done) await this.#apply([each])
  }

  /** What is known stays true whoever tells it. That a run learned nothing, and that a time is over, only the holder of the task may say. */
  async #applyHeld(done: readonly Done[], tx: Transaction): Promise<void> {
    const { store, engine } = this.ports
    const held = await store.held(
      done.map(({ task }) => task),
      tx,
    )
    const inputs = done.filter(({ input }, nth) => held.has(nth) || tellsFact(input)).map(({ input }) => input)
    if (inputs.length > 0) await engine.apply(inputs, tx)
  }

  async #perform(task: ClaimedTask): Promise<Done> {
    return { task, input: task.run ? await this.#run(task, task.run) : timerInput(task) }
  }

  async #run(task: ClaimedTask, { activity, attempt, input, startedAt }: NonNullable<ClaimedTask['run']>): Promise<SagaInput> {
    const run = { sagaId: task.sagaId, key: task.name, attempt, input, startedAt, now: this.ports.clock.now() }
    let outcome: ActivityOutcome
    try {
      const perform = this.ports.activities[activity]
      if (!perform) throw new Error(`no activity ${activity}`)
      outcome = await this.#inTime((signal) => perform(run, signal))
    } catch (error) {
      this.ports.onError?.(error, activity)
      outcome = { outcome: 'unknown', detail: error instanceof Error ? error.name : 'thrown' }
    }
    return { kind: 'outcome', id: `${task.name}/${task.epoch}`, sagaId: task.sagaId, context: contextOf(task), key: task.name, outcome }
  }

  /** Aborts it when its time is over, and does not wait for one that does not listen. */
  async #inTime(perform: (signal: AbortSignal) => Promise<ActivityOutcome>): Promise<ActivityOutcome> {
    const over = new AbortController()
    const done = new AbortController()
    const late = this.ports.clock.sleep(this.#options.timeout_ms, done.signal).then((): ActivityOutcome => {
      over.abort(new DOMException('the run took too long', 'TimeoutError'))
      return { outcome: 'unknown', detail: 'no answer in time' }
    })
    try {
      return await Promise.race([perform(over.signal), late])
    } finally {
      late.catch(() => undefined)
      done.abort(new Error('done'))
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
