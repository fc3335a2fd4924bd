import { expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { PLANS } from '../../apps/demo/orders.js'
import { baseUrl } from './shop.js'

interface Report {
  readonly orders: number
  readonly ok: boolean
  readonly outcomes: readonly { readonly plan: string; readonly end: string; readonly orders: number }[]
  readonly invariants: readonly { readonly ok: boolean }[]
}

const run = promisify(execFile)
const demo = (...options: readonly string[]) => run(process.execPath, ['dist/apps/demo/main.js', ...options], { timeout: 280_000 })

it('the demo puts orders through in every way, and finds that the books add up', async () => {
  // Exit code 1 comes with the report that says why.
  const { stdout, stderr } = await demo('--url', baseUrl(), '--orders', '40', '--customers', '10', '--width', '8', '--json').catch(
    (error: { stdout: string; stderr: string }) => error,
  )
  if (stdout === '') throw new Error(`the demo made no report: ${stderr}`)
  const report = JSON.parse(stdout) as Report
  expect(report.invariants.filter(({ ok }) => !ok)).toEqual([])
  expect(report).toMatchObject({ orders: 40, ok: true })
  expect(report.outcomes.map(({ plan, end }) => [plan, end])).toEqual(PLANS.map(({ name, ends }) => [name, ends]))
  expect(report.outcomes.reduce((sum, { orders }) => sum + orders, 0)).toBe(40)
  expect(report.invariants).toHaveLength(6)
}, 300_000)

it('the demo says in one line that nothing answers, and where to look', async () => {
  const failed = await demo('--url', 'http://127.0.0.1:9', '--json').catch((error: { code: number; stderr: string }) => error)
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^.*nothing answers at http:\/\/127\.0\.0\.1:9.*npm start.*\n$/) })
})
