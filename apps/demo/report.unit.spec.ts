import { describe, expect, it } from '@jest/globals'
import { orderResult } from './order-result.fixture.js'
import { PLANS } from './orders.js'
import { showProgress } from './progress.js'
import { latencyOf, makeReport, printReport } from './report.js'

const [first, second] = PLANS
if (!first || !second) throw new Error('there are no plans')

const result = (plan: typeof first, end: string, toPlaced_ms: number, toEnd_ms: number) => ({
  ...orderResult(plan),
  end,
  toPlaced_ms,
  toEnd_ms,
})
const holds = { name: 'every saga ended', ok: true, detail: '3 orders' }
const broken = { name: 'money is conserved', ok: false, detail: '7 paise' }
const results = [
  result(first, first.ends, 10.4, 100),
  result(first, 'CANCELLED out-of-stock', 20, 200),
  result(second, second.ends, 30, 300),
]

describe('the latencies of a demo', () => {
  it.each([
    [[], 0, 0],
    [[7.4], 7, 7],
    [[4, 1, 3, 2], 2, 4],
    [Array.from({ length: 100 }, (_, n) => 100 - n), 50, 99],
    [Array.from({ length: 1_000 }, (_, n) => n + 1), 500, 990],
  ])('are nearest-rank percentiles: case %#', (times_ms, p50_ms, p99_ms) => {
    expect(latencyOf(times_ms)).toEqual({ p50_ms, p99_ms })
  })
})

describe('the report of a demo', () => {
  it('counts each plan by how its orders ended, in the order of the plans', () => {
    const report = makeReport(results, [holds], 12.345, 2)
    expect(report).toMatchObject({ orders: 3, seconds: 12.3, throttled: 2, toPlaced: { p50_ms: 20, p99_ms: 30 }, ok: true })
    expect(report.outcomes).toEqual([
      { plan: first.name, end: first.ends, orders: 1, toEnd: { p50_ms: 100, p99_ms: 100 } },
      { plan: first.name, end: 'CANCELLED out-of-stock', orders: 1, toEnd: { p50_ms: 200, p99_ms: 200 } },
      { plan: second.name, end: second.ends, orders: 1, toEnd: { p50_ms: 300, p99_ms: 300 } },
    ])
  })

  it('is not well when one invariant is broken, and says which', () => {
    const report = makeReport(results, [holds, broken], 1, 0)
    expect(report.ok).toBe(false)
    const lines = printReport(report).split('\n')
    expect(lines).toContain('  holds   every saga ended (3 orders)')
    expect(lines).toContain('  BROKEN  money is conserved (7 paise)')
  })

  it('prints orders, latencies and a row of each outcome', () => {
    const lines = printReport(makeReport(results, [holds], 12.3, 0)).split('\n')
    expect(lines[0]).toBe('3 orders in 12.3 s; PLACED after p50 20 ms, p99 30 ms')
    const rows = lines
      .filter((line) => line.startsWith('│'))
      .map((line) =>
        line
          .split('│')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
    expect(rows).toEqual([
      ['paid by', 'order ended', 'orders', 'p50 ms', 'p99 ms'],
      [first.name, first.ends, '1', '100', '100'],
      [first.name, 'CANCELLED out-of-stock', '1', '200', '200'],
      [second.name, second.ends, '1', '300', '300'],
    ])
  })

  it('says how often it was told to wait', () => {
    expect(printReport(makeReport(results, [], 1, 4))).toContain('told to wait (429) 4 times')
  })
})

describe('the progress of a demo', () => {
  const linesOf = (total: number, as: 'lines' | 'none'): readonly string[] => {
    const lines: string[] = []
    const progress = showProgress('orders', total, as, (line) => lines.push(line))
    for (let n = 0; n < total; n++) progress.tick()
    progress.done()
    return lines
  }

  it('is a plain line for each fifth where there is no terminal', () => {
    expect(linesOf(10, 'lines')).toEqual(['orders ...', '  2 of 10', '  4 of 10', '  6 of 10', '  8 of 10', '  10 of 10'])
    expect(linesOf(3, 'lines')).toEqual(['orders ...', '  1 of 3', '  2 of 3', '  3 of 3'])
  })

  it('is nothing beside JSON', () => {
    expect(linesOf(10, 'none')).toEqual([])
  })
})
