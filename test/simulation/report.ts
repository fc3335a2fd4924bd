import { FAULTS, type Fault } from './scheduler.js'
import type { Run } from './simulation.js'

type Counts = Record<string, number>

/** What came of many seeds; plain JSON, so that processes can hand it on. */
export interface Report {
  runs: number
  steps: number
  crashes: number
  orders: number
  leastOrders: number
  leastCrashes: number
  /** CPU time of the runs, milliseconds. */
  cpu_ms: number
  readonly outcomes: Counts
  /** Step -> fault -> how often; `none` too. */
  readonly strikes: Record<string, Partial<Record<Fault | 'none', number>>>
  readonly failures: { readonly seed: number; readonly message: string; readonly trace: readonly string[] }[]
}

/** Lines of a failing seed's trace that are kept where there are many seeds. */
export const TRACE_LINES = 150

export const emptyReport = (): Report => ({
  runs: 0,
  steps: 0,
  crashes: 0,
  orders: 0,
  leastOrders: Number.MAX_SAFE_INTEGER,
  leastCrashes: Number.MAX_SAFE_INTEGER,
  cpu_ms: 0,
  outcomes: {},
  strikes: {},
  failures: [],
})

export const addRun = (
  report: Report,
  { seed, steps, crashes, orders, outcomes, strikes, failure }: Run,
  traceLines = TRACE_LINES,
): void => {
  report.runs++
  report.steps += steps
  report.crashes += crashes
  report.orders += orders
  if (!failure) {
    report.leastOrders = Math.min(report.leastOrders, orders)
    report.leastCrashes = Math.min(report.leastCrashes, crashes)
  }
  for (const [outcome, count] of outcomes) report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + count
  for (const [step, counts] of strikes) addStrikes(report, step, Object.fromEntries(counts))
  if (failure) report.failures.push({ seed, message: failure.error.message, trace: failure.trace.slice(-traceLines) })
}

export const merge = (into: Report, other: Report): void => {
  into.runs += other.runs
  into.steps += other.steps
  into.crashes += other.crashes
  into.orders += other.orders
  into.leastOrders = Math.min(into.leastOrders, other.leastOrders)
  into.leastCrashes = Math.min(into.leastCrashes, other.leastCrashes)
  into.cpu_ms += other.cpu_ms
  for (const [outcome, count] of Object.entries(other.outcomes)) into.outcomes[outcome] = (into.outcomes[outcome] ?? 0) + count
  for (const [step, counts] of Object.entries(other.strikes)) addStrikes(into, step, counts)
  into.failures.push(...other.failures)
}

const addStrikes = ({ strikes }: Report, step: string, counts: Partial<Record<Fault | 'none', number>>): void => {
  const sums = (strikes[step] ??= {})
  for (const name of ['none', ...FAULTS] as const) {
    const count = counts[name]
    if (count !== undefined) sums[name] = (sums[name] ?? 0) + count
  }
}

/** For people: what was run, what became of the orders, and which fault struck which step how often. */
export const describeReport = (report: Report): string => {
  const { runs, steps, crashes, orders, cpu_ms, outcomes, strikes } = report
  const width = Math.max(...Object.keys(strikes).map((step) => step.length), 4)
  const row = (name: string, cells: readonly string[]) => `  ${name.padEnd(width)}${cells.map((cell) => cell.padStart(14)).join('')}`
  const rows = Object.entries(strikes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([step, counts]) =>
      row(
        step,
        [counts.none, ...FAULTS.map((fault) => counts[fault])].map((count) => String(count ?? '')),
      ),
    )
  const sum = (fault: Fault) => Object.values(strikes).reduce((total, counts) => total + (counts[fault] ?? 0), 0)
  return [
    `${runs} seeds: ${orders} orders, ${steps} steps, ${crashes} crashes; ${(cpu_ms / Math.max(1, runs)).toFixed(1)} ms of CPU a seed`,
    ...Object.entries(outcomes)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([outcome, count]) => `  ${outcome.padEnd(width)}${String(count).padStart(14)}`),
    row('step', ['undisturbed', ...FAULTS]),
    ...rows,
    row('all', ['', ...FAULTS.map((fault) => String(sum(fault)))]),
  ].join('\n')
}

/** How to have a failing seed again, and what happened in it. */
export const describeFailure = ({ seed, message, trace }: Report['failures'][number]): string =>
  [`seed ${seed}: ${message}`, `again: SEED=${seed} npm run test:simulation`, ...trace].join('\n')
