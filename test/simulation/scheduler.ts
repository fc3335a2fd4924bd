import type { Random } from '#kernel'
import { FakeClock, seededRandom } from '#kernel/testing'

/**
 * What can go wrong with a step. `delayed`: it waits. `request lost`: nothing happens and its caller is told of a broken connection.
 * `answer lost`: it happens, and its caller is told of a broken connection. `duplicated`: it happens twice. `disconnected`: the process loses
 * its place in the log. `crash before`, `crash after`: the process dies there, and what it did not write down is gone.
 */
export const FAULTS = ['delayed', 'request lost', 'answer lost', 'duplicated', 'disconnected', 'crash before', 'crash after'] as const
export type Fault = (typeof FAULTS)[number]

/** Something that is about to happen; the scheduler says when, and what goes wrong. */
export interface Parked {
  readonly process: string
  readonly what: string
  /** Which faults may strike it. */
  readonly faults: readonly Fault[]
  /** The latest time at which it happens, milliseconds since the epoch: a network's bound. */
  readonly by_ms?: number
  /** False: its process died, and it never happens. */
  alive(): boolean
  run(fault: Fault | undefined): void
}

const PROBABILITY: Readonly<Record<Fault, number>> = {
  delayed: 0.02,
  'request lost': 0.012,
  'answer lost': 0.012,
  duplicated: 0.02,
  disconnected: 0.006,
  'crash before': 0.0025,
  'crash after': 0.0025,
}
/** How often time passes while something could happen: what is parked is then slow. */
const TIME_PASSES = 0.04
const LONGEST_DELAY_MS = 12_000
const START_MS = Date.UTC(2026, 10, 2, 6)

/** Which fault struck which step how often. */
export type Strikes = Map<string, Map<Fault | 'none', number>>

/**
 * The one source of order, time and chance of a simulated run: every call through a port parks here, and the seed picks what happens next.
 * The same seed picks the same, so a run can be had again.
 */
export class Scheduler {
  readonly clock = new FakeClock(START_MS)
  readonly random: Random
  readonly strikes: Strikes = new Map()
  /** No faults any more: what is broken heals. */
  calm = false
  /** The step at which a process crashes whatever chance says: every run has a crash. */
  readonly #crashAt: number
  #crashes = 0
  #parked: Parked[] = []
  readonly #trace: { readonly at_ms: number; readonly what: string; readonly fault: Fault | undefined }[] = []
  readonly #names = new Map<string, number>()
  #hash = 0x811c9dc5
  #steps = 0

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.#crashAt = 30 + this.below(400)
  }

  get steps(): number {
    return this.#steps
  }

  get crashes(): number {
    return this.#crashes
  }

  get idle(): boolean {
    return this.#parked.length === 0
  }

  /** What happened, a line each. */
  get trace(): readonly string[] {
    return this.#trace.map(
      ({ at_ms, what, fault }) =>
        `${((at_ms - START_MS) / 1_000).toFixed(3).padStart(9)} s  ${what}${fault === undefined ? '' : ` [${fault}]`}`,
    )
  }

  /** Over every step, its fault and its time: equal for equal runs. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** Uniform in 0 .. bound - 1. */
  below(bound: number): number {
    return Math.floor(this.random.next() * bound)
  }

  chance(probability: number): boolean {
    return this.random.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    const value = from[this.below(from.length)]
    if (value === undefined) throw new RangeError('nothing to pick from')
    return value
  }

  park(step: Parked): void {
    if (this.calm || !this.chance(PROBABILITY.delayed)) return void this.#parked.push(step)
    this.#count(step, 'delayed')
    const longest_ms = step.by_ms === undefined ? LONGEST_DELAY_MS : Math.min(LONGEST_DELAY_MS, step.by_ms - this.clock.now())
    void this.clock.sleep(this.below(Math.max(1, longest_ms))).then(() => this.#parked.push(step))
  }

  /** Lets one thing happen, or time pass. False: there is nothing more to come. */
  step(): boolean {
    this.#steps++
    const step = this.#take()
    if (!step) return this.#passTime()
    const fault = this.#fault(step)
    this.#count(step, fault ?? 'none')
    this.#note(`${step.process}: ${step.what}`, fault)
    step.run(fault)
    return true
  }

  note(text: string): void {
    this.#note(text)
  }

  /** What a dead process had parked never happens. */
  bury(): void {
    this.#crashes++
    this.#parked = this.#parked.filter((step) => step.alive())
  }

  #take(): Parked | undefined {
    const now = this.clock.now()
    const due = this.#parked.findIndex(({ by_ms }) => by_ms !== undefined && by_ms <= now)
    if (due < 0 && (this.#parked.length === 0 || (!this.calm && this.chance(TIME_PASSES)))) return undefined
    const at = due < 0 ? this.below(this.#parked.length) : due
    const step = this.#parked[at]
    const last = this.#parked.pop()
    if (last && at < this.#parked.length) this.#parked[at] = last
    return step
  }

  #passTime(): boolean {
    const wake = this.clock.nextWake()
    const bound = this.#parked.reduce((least, { by_ms }) => (by_ms === undefined ? least : Math.min(least, by_ms)), Infinity)
    const until = Math.min(wake ?? Infinity, bound)
    if (until === Infinity) return !this.idle
    this.clock.advance(Math.max(0, until - this.clock.now()))
    return true
  }

  #fault(step: Parked): Fault | undefined {
    if (this.calm) return undefined
    if (this.#steps >= this.#crashAt && this.#crashes === 0) {
      const crash = step.faults.find((fault) => fault === 'crash after') ?? step.faults.find((fault) => fault === 'crash before')
      if (crash) return crash
    }
    let luck = this.random.next()
    for (const fault of step.faults) {
      luck -= PROBABILITY[fault]
      if (luck < 0) return fault
    }
    return undefined
  }

  #count(step: Parked, fault: Fault | 'none'): void {
    const name = `${step.process}: ${step.what}`
    let counts = this.strikes.get(name)
    if (!counts) this.strikes.set(name, (counts = new Map()))
    counts.set(fault, (counts.get(fault) ?? 0) + 1)
  }

  #note(what: string, fault?: Fault): void {
    const at_ms = this.clock.now()
    this.#trace.push({ at_ms, what, fault })
    let name = this.#names.get(what)
    if (name === undefined) this.#names.set(what, (name = this.#names.size))
    this.#mix(name)
    this.#mix(fault === undefined ? -1 : FAULTS.indexOf(fault))
    this.#mix(at_ms - START_MS)
  }

  /** FNV-1a, a word at a time. */
  #mix(word: number): void {
    this.#hash = Math.imul(this.#hash ^ word, 0x01000193)
  }
}
