import 'reflect-metadata'
import { describe, expect, it } from '@jest/globals'
import { simulate } from './simulation.js'
describe('x', () => {
  it('runs', async () => {
    const from = Number(process.env['SEED'] ?? 1),
      n = Number(process.env['SEEDS'] ?? 1)
    let failed = 0
    for (let seed = from; seed < from + n; seed++) {
      const t = performance.now()
      const run = await simulate(seed)
      if (run.failure) {
        failed++
        console.log(run.failure.trace.slice(-Number(process.env['TAIL'] ?? 40)).join('\n'), '\n', run.failure.error.stack)
      }
      console.log(
        seed,
        run.steps,
        run.crashes,
        run.orders,
        run.traceHash,
        [...run.outcomes].map(String).join(' '),
        (performance.now() - t).toFixed(1),
      )
    }
    expect(failed).toBe(0)
  }, 600_000)
})
