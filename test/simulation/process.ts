import { StoreUnavailable } from '#event-store'
import type { Clock, Transactions } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import { memoryLog, type MemoryBroker, type MemoryLog } from '#messaging/testing'
import type { Fault, Scheduler } from './scheduler.js'

const WRITE: readonly Fault[] = ['request lost', 'answer lost', 'crash before', 'crash after']
const READ: readonly Fault[] = ['request lost', 'crash before']
const PUBLISH: readonly Fault[] = ['request lost', 'answer lost', 'duplicated', 'crash before', 'crash after']
const DELIVER: readonly Fault[] = ['request lost', 'disconnected', 'duplicated', 'crash before']
const REQUEST: readonly Fault[] = ['request lost', 'answer lost', 'crash before']
const ANSWER: readonly Fault[] = ['crash before']
/** How often an answer takes its time, so that other things happen between an effect and its caller's learning of it. */
const SLOW_ANSWER = 0.2

/** The caller does not know whether it happened. */
export class ConnectionLost extends Error {}

/** One life of a process, from its start to its crash. What it awaits when it dies never comes. */
export class Life {
  #alive = true
  readonly clock: Clock
  readonly transactions: Transactions
  readonly log: MemoryLog
  readonly #pending = new Set<() => void>()

  constructor(
    readonly scheduler: Scheduler,
    readonly name: string,
    broker: MemoryBroker,
    private readonly die: () => void,
  ) {
    this.clock = this.#clockOf(1)
    const database = memoryTransactions()
    this.transactions = { run: (work) => this.call('commit', () => database.run(work), WRITE) }
    this.log = memoryLog(broker, { clock: this.clock, random: scheduler.random, hooks: this.#hooks() })
  }

  get alive(): boolean {
    return this.#alive
  }

  /** For a loop that polls often: time passes for it `times` as slowly, and a run has fewer empty steps. */
  slowClock(times: number): Clock {
    return this.#clockOf(times)
  }

  /** A call through a port: it happens when the scheduler says so. */
  call<T>(what: string, effect: () => T | Promise<T>, faults: readonly Fault[]): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) return
      const lost = (): void => reject(new StoreUnavailable(`${what}: the connection broke`))
      this.#park(what, faults, (fault) => {
        if (fault === 'request lost') return lost()
        if (fault === 'crash before') return this.die()
        const answered = (value: T): void => {
          if (fault === 'crash after') return this.die()
          if (fault === 'answer lost') return lost()
          if (this.scheduler.calm || !this.scheduler.chance(SLOW_ANSWER)) return resolve(value)
          this.answer(what, () => resolve(value))
        }
        void started(effect)
          .then((value) => (fault === 'duplicated' ? started(effect) : value))
          .then(
            (value) => this.#alive && answered(value),
            (error: unknown) => {
              this.note(`${what} failed: ${String(error)}`)
              if (this.#alive) reject(error as Error)
            },
          )
      })
    })
  }

  /** An answer on its way to this process. */
  answer(what: string, arrive: () => void): void {
    this.#park(`${what} answered`, ANSWER, (fault) => (fault === 'crash before' ? this.die() : arrive()))
  }

  read<T>(what: string, effect: () => T | Promise<T>): Promise<T> {
    return this.call(what, effect, READ)
  }

  write<T>(what: string, effect: () => T | Promise<T>): Promise<T> {
    return this.call(what, effect, WRITE)
  }

  /** A request from outside. Rejects with `ConnectionLost` where the caller cannot know whether it happened. */
  request<T>(what: string, serve: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lost = (why: string) => reject(new ConnectionLost(`${what}: ${why}`))
      const cut = () => lost('the process died')
      this.#pending.add(cut)
      const settle = (then: () => void): void => {
        this.#pending.delete(cut)
        then()
      }
      this.#park(what, REQUEST, (fault) => {
        if (fault === 'request lost') return settle(() => lost('the request was lost'))
        if (fault === 'crash before') return this.die()
        void started(serve).then(
          (value) => this.#alive && settle(() => (fault === 'answer lost' ? lost('the answer was lost') : resolve(value))),
          (error: unknown) => this.#alive && settle(() => reject(error as Error)),
        )
      })
    })
  }

  /** For the trace. */
  note(text: string): void {
    if (this.#alive) this.scheduler.note(`${this.name}: ${text}`)
  }

  end(): void {
    this.#alive = false
    this.log.kill()
    for (const cut of this.#pending) cut()
    this.#pending.clear()
  }

  #park(what: string, faults: readonly Fault[], run: (fault: Fault | undefined) => void): void {
    this.scheduler.park({ process: this.name, what, faults, alive: () => this.#alive, run: (fault) => void (this.#alive && run(fault)) })
  }

  #clockOf(times: number): Clock {
    const { clock } = this.scheduler
    return {
      now: () => clock.now(),
      sleep: (delay_ms, signal) =>
        new Promise((resolve, reject) => {
          if (!this.#alive) return
          clock.sleep(Math.ceil(delay_ms * times), signal).then(
            () => void (this.#alive && resolve()),
            (error: unknown) => void (this.#alive && reject(error as Error)),
          )
        }),
    }
  }

  #hooks(): NonNullable<NonNullable<Parameters<typeof memoryLog>[1]>['hooks']> {
    return {
      send: (_, store) => this.call('publish', store, PUBLISH),
      deliver: ({ partition, run }) =>
        new Promise((resolve, reject) => {
          this.#park(`deliver ${partition.topic}`, DELIVER, (fault) => {
            if (fault === 'crash before') return this.die()
            if (fault === 'request lost') return reject(new ConnectionLost('the broker went away'))
            if (fault === 'disconnected') {
              reject(new ConnectionLost('the session is over'))
              return this.log.disconnect()
            }
            void run()
              .then(() => (fault === 'duplicated' ? run() : undefined))
              .then(resolve, reject)
          })
        }),
    }
  }
}

const started = <T>(effect: () => T | Promise<T>): Promise<T> => new Promise((resolve) => resolve(effect()))

const LONGEST_DOWN_MS = 8_000

/** A process that is killed and started again over what it wrote down. */
export class Process<App> {
  #life: Life | undefined
  #app: App | undefined

  constructor(
    private readonly scheduler: Scheduler,
    readonly name: string,
    private readonly broker: MemoryBroker,
    /** Builds the app and starts it. */
    private readonly build: (life: Life) => App,
    /** What its database does when a client of it dies. */
    private readonly onCrash: () => void,
  ) {}

  get up(): boolean {
    return this.#life !== undefined
  }

  start(): void {
    const life = new Life(this.scheduler, this.name, this.broker, () => this.#crash(life))
    this.#life = life
    this.#app = this.build(life)
  }

  /** Rejects with `ConnectionLost` while it is down. */
  request<T>(what: string, serve: (app: App) => Promise<T>): Promise<T> {
    const [life, app] = [this.#life, this.#app]
    return life && app ? life.request(what, () => serve(app)) : Promise.reject(new ConnectionLost(`${this.name} is down`))
  }

  stop(): void {
    this.#life?.end()
    this.#life = undefined
    this.#app = undefined
  }

  #crash(life: Life): void {
    if (this.#life !== life) return
    this.stop()
    this.onCrash()
    this.scheduler.bury()
    this.scheduler.note(`${this.name}: CRASHED`)
    void this.scheduler.clock
      .sleep(this.scheduler.below(LONGEST_DOWN_MS))
      .then(() => this.scheduler.park({ process: this.name, what: 'start', faults: [], alive: () => true, run: () => this.start() }))
  }
}
