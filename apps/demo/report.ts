import Table from 'cli-table3'
import type { Invariant } from './invariants.js'
import { PLANS, type OrderResult } from './orders.js'

export interface Latency {
  readonly p50_ms: number
  readonly p99_ms: number
}

export interface Report {
  readonly orders: number
  readonly seconds: number
  readonly throttled: number
  readonly toPlaced: Latency
  readonly outcomes: readonly { readonly plan: string; readonly end: string; readonly orders: number; readonly toEnd: Latency }[]
  readonly invariants: readonly Invariant[]
  readonly ok: boolean
}

/** Nearest-rank percentiles, rounded to whole milliseconds. */
export const latencyOf = (times_ms: readonly number[]): Latency => {
  const sorted = [...times_ms].sort((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0)
  return { p50_ms: at(0.5), p99_ms: at(0.99) }
}

export const makeReport = (
  results: readonly OrderResult[],
  invariants: readonly Invariant[],
  seconds: number,
  throttled: number,
): Report => ({
  orders: results.length,
  seconds: Math.round(seconds * 10) / 10,
  throttled,
  toPlaced: latencyOf(results.map(({ toPlaced_ms }) => toPlaced_ms)),
  outcomes: PLANS.flatMap((plan) => {
    const mine = results.filter((result) => result.plan === plan)
    return [...new Set(mine.map(({ end }) => end))].map((end) => {
      const same = mine.filter((result) => result.end === end)
      return { plan: plan.name, end, orders: same.length, toEnd: latencyOf(same.map(({ toEnd_ms }) => toEnd_ms)) }
    })
  }),
  invariants,
  ok: invariants.every(({ ok }) => ok),
})

export const printReport = (report: Report): string => {
  const outcomes = new Table({
    head: ['paid by', 'order ended', 'orders', 'p50 ms', 'p99 ms'],
    colAligns: ['left', 'left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  })
  for (const { plan, end, orders, toEnd } of report.outcomes) outcomes.push([plan, end, orders, toEnd.p50_ms, toEnd.p99_ms])
  const checks = report.invariants.map(({ name, ok, detail }) => `  ${ok ? 'holds ' : 'BROKEN'}  ${name} (${detail})`)
  return [
    `${report.orders} orders in ${report.seconds} s; PLACED after p50 ${report.toPlaced.p50_ms} ms, p99 ${report.toPlaced.p99_ms} ms${report.throttled ? `; told to wait (429) ${report.throttled} times` : ''}`,
    'From PLACED to the end of the order and its payment:',
    outcomes.toString(),
    ...checks,
  ].join('\n')
}
