import 'reflect-metadata'
import { describe, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { FAULTS } from './scheduler.js'
import { describeFailure, describeReport, emptyReport, merge, type Report } from './report.js'
import { simulate } from './simulation.js'

// `SEED=123` runs one seed, `SEEDS=10000` the first 10,000. CI has time for half of them.
const { SEED, SEEDS, CI } = process.env
const first = SEED === undefined ? 1 : Number(SEED)
const last = SEED === undefined ? Number(SEEDS ?? (CI ? 5_000 : 300)) : first
const AN_HOUR_MS = 3_600_000
/** From so many seeds on each fault has struck, and orders of each method have ended in each way. */
const ENOUGH_SEEDS = 300
const METHODS = ['wallet', 'upi', 'card', 'netbanking', 'split', 'cod']
const ENDS = ['CONFIRMED', 'DELIVERED', 'RETURNED', 'CANCELLED', 'CANCELLED after CONFIRMED']

const runSeeds = async (offset: number, stride: number): Promise<Report> => {
  const here = import.meta.dirname
  const { stdout } = await promisify(execFile)(
    process.execPath,
    // A run leaves much short-lived garbage and nothing else.
    [
      '--max-semi-space-size=64',
      '--conditions=source',
      '--import',
      `${here}/typescript.mjs`,
      `${here}/seeds.ts`,
      String(first + offset),
      String(last),
      String(stride),
    ],
    { maxBuffer: 256 * 1024 * 1024, timeout: AN_HOUR_MS },
  )
  return JSON.parse(stdout) as Report
}

describe('the platform under faults', () => {
  it('runs the same again under the same seed, and otherwise under another', async () => {
    const [one, again, other] = [await simulate(7), await simulate(7), await simulate(8)]
    expect(again.steps).toBe(one.steps)
    expect(again.traceHash).toBe(one.traceHash)
    expect(other.traceHash).not.toBe(one.traceHash)
  }, 60_000)

  it(
    'keeps its seven invariants after every step, and every saga ends',
    async () => {
      const stride = Math.min(availableParallelism(), last - first + 1)
      const total = emptyReport()
      for (const report of await Promise.all(Array.from({ length: stride }, (_, at) => runSeeds(at, stride)))) merge(total, report)
      process.stdout.write(`\n${describeReport(total)}\n\n`)
      for (const failure of total.failures) process.stdout.write(`${describeFailure(failure)}\n\n`)
      expect(total.failures.map(({ seed, message }) => `SEED=${seed} npm run test:simulation: ${message}`)).toEqual([])
      expect(total.runs).toBe(last - first + 1)
      expect(total.leastOrders).toBeGreaterThanOrEqual(10)
      expect(total.leastCrashes).toBeGreaterThanOrEqual(1)
      if (total.runs < ENOUGH_SEEDS) return
      const strikes = Object.values(total.strikes)
      expect(FAULTS.filter((fault) => strikes.every((counts) => !counts[fault]))).toEqual([])
      expect(METHODS.flatMap((method) => ENDS.map((end) => `${method} ${end}`)).filter((outcome) => !total.outcomes[outcome])).toEqual([])
    },
    AN_HOUR_MS,
  )
})
