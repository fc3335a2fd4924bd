import { Clients } from './clients.js'
import { Deliveries } from './deliveries.js'
import { Observer } from './observer.js'
import type { Plant } from './plant.js'
import { Platform } from './platform.js'
import { Scheduler, type Strikes } from './scheduler.js'
import { Violation } from './violation.js'

/** What came of one seed. */
export interface Run {
  readonly seed: number
  readonly steps: number
  readonly crashes: number
  readonly orders: number
  /** `wallet CONFIRMED`, `upi CANCELLED`, …: how many. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly traceHash: string
  readonly strikes: Strikes
  readonly failure?: Failure
}

export interface Failure {
  readonly error: Error
  /** The steps up to it. */
  readonly trace: readonly string[]
}

/** Faults strike until the clients have what they came for, and then for so many more steps. */
const TROUBLE_STEPS = 100
const MOST_STEPS = 20_000

/**
 * Runs the platform under one seed, and checks after each step what must always hold.
 *
 * The production `Consumer` and `Relay` run over the log in memory, not a pump that imitates them: two phases, the offset fence, marks,
 * isolation, deferral and leases are where exactly-once effect is won or lost, so they must be the ones that ship. They are deterministic
 * because all they touch (clock, log, stores, network) parks in the scheduler and chance comes from the seed; between steps every promise
 * that can settle does, for which the run waits one turn of the event loop, the only thing here that is not simulated.
 */
export const simulate = async (seed: number, plant: Plant = {}): Promise<Run> => {
  const scheduler = new Scheduler(seed)
  const deliveries = new Deliveries()
  const platform = new Platform(scheduler, deliveries, plant, seed)
  const clients = new Clients(scheduler, platform, plant)
  const observer = new Observer(scheduler, platform, deliveries, clients)
  let failure: Failure | undefined
  try {
    platform.start()
    clients.start({ orders: 10 + scheduler.below(3), skus: 1 + scheduler.below(3), customers: 2 + scheduler.below(4) })
    await run(scheduler, clients, observer)
    await observer.checkEnd()
  } catch (error) {
    failure = { error: error instanceof Error ? error : new Error(String(error)), trace: scheduler.trace }
  } finally {
    platform.stop()
  }
  const { steps, crashes, traceHash, strikes } = scheduler
  const outcomes = new Map<string, number>()
  for (const { method, status, confirmed } of observer.books.orders.values()) {
    const name = `${method} ${status}${confirmed && status === 'CANCELLED' ? ' after CONFIRMED' : ''}`
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
  }
  return { seed, steps, crashes, orders: observer.books.orders.size, outcomes, traceHash, strikes, ...(failure && { failure }) }
}

const run = async (scheduler: Scheduler, clients: Clients, observer: Observer): Promise<void> => {
  let trouble = Infinity
  await settled()
  while (scheduler.steps < MOST_STEPS) {
    if (scheduler.steps % 20 === 0) await clients.reviewAlerts()
    if (trouble === Infinity && clients.done) trouble = scheduler.steps + TROUBLE_STEPS
    if (!scheduler.calm && scheduler.steps >= trouble && scheduler.crashes > 0) {
      scheduler.calm = true
      scheduler.note('CALM: no more faults')
    }
    if (scheduler.calm && scheduler.idle && observer.atRest) return
    if (!scheduler.step()) throw new Violation(4, `nothing more happens, and ${observer.pending().join('; ')}`)
    await settled()
    await observer.check()
  }
  throw new Violation(4, `not at rest after ${MOST_STEPS} steps: ${observer.pending().join('; ')}`)
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
