import type { Clock, JsonObject, MessageContext, Transactions } from '#kernel'
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
  readonly store: Pick<SagaStore, 'claim' | 'nextDue' | 'onDoorbell'>
  readonly transactions: Transactions
  readonly clock: Clock
  readonly activities: Readonly<Record<string, Activity>>
  readonly onError?: (error: unknown, during: string) => void
}

export interface SagaWorkerOptions {
  /** Activities at once. */
  readonly concurrency: number
  /** Tasks claimed at once. */
  readonly batch: number
  /** A task whose worker died is due again after this. Longer than `timeout_ms`. */
  readonly lease_ms: number
  /** A run is aborted, and unknown, after this. */
  readonly timeout_ms: number
  /** The slow poll behind the doorbell. */
  readonly poll_ms: number
}

const DEFAULTS: SagaWorkerOptions = { concurrency: 64, batch: 100, lease_ms: 10_000, timeout_ms: 8_000, poll_ms: 5_000 }

/** Fires timers and runs activities from their rows. Any number of workers, in any process, share the rows. */
export class SagaWorker {
  readonly #options: SagaWorkerOptions
  #running = 0
  #finished: SagaInput[] = []
  #flushing: Promise<void> | undefined
  #loop: Promise<void> | undefined
  #wake = new AbortController()
  #rung = false
  #stopped = false
  #bell: { close(): Promise<void> } | undefined

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
    const inputs = await Promise.all(tasks.map((task) => this.#input(task)))
    if (inputs.length > 0) await this.#apply(inputs)
    return tasks.length
  }

  async start(): Promise<void> {
    this.#bell = await this.ports.store.onDoorbell(() => this.ring())
    this.#loop = this.#work()
  }

  /** Takes nothing new, waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.ring()
    await this.#bell?.close()
    await this.#loop
    await this.#flushing
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
        if (timers.length > 0) await this.#apply(timers.map((task) => timerInput(task)))
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
    void this.#input(task).then((input) => {
      this.#running--
      this.#finished.push(input)
      this.#flushing ??= this.#flush()
      this.ring()
    })
  }

  /** What finished while a commit was under way goes together into the next. */
  async #flush(): Promise<void> {
    while (this.#finished.length > 0) {
      const inputs = this.#finished.splice(0, this.#options.batch)
      await this.#apply(inputs)
    }
    this.#flushing = undefined
  }

  #claim(limit: number): Promise<readonly ClaimedTask[]> {
    return this.ports.store.claim({ now: this.ports.clock.now(), limit, lease_ms: this.#options.lease_ms })
  }

  /** All in one transaction; when that fails each alone, so that one poisoned saga does not hold up the others. Lost ones are due again. */
  async #apply(inputs: readonly SagaInput[]): Promise<void> {
    try {
      await this.ports.transactions.run((tx) => this.ports.engine.apply(inputs, tx))
    } catch (error) {
      if (inputs.length === 1) return this.ports.onError?.(error, `apply to ${inputs[0]?.sagaId}`)
      for (const input of inputs) await this.#apply([input])
    }
  }

  async #input(task: ClaimedTask): Promise<SagaInput> {
    if (!task.run) return timerInput(task)
    const { activity, attempt, input, startedAt } = task.run
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

const timerInput = (task: ClaimedTask): SagaInput => ({
  kind: 'timer',
  id: `${task.sagaId}/${task.name}/${task.epoch}`,
  sagaId: task.sagaId,
  context: contextOf(task),
})

const contextOf = (task: ClaimedTask): MessageContext => ({ correlationId: task.correlationId, causationId: `${task.name}/${task.epoch}` })
