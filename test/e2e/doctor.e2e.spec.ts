import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { Finding } from '#service'

const cli = join(import.meta.dirname, '../../dist/apps/bahi/cli/main.js')
const home = process.env['BAHI_E2E_HOME']

const doctor = (): Promise<{ code: number; out: string }> =>
  new Promise((resolve) =>
    execFile(process.execPath, [cli, 'doctor', '--json', '--home', String(home)], { timeout: 80_000, env: {} }, (error, out) =>
      resolve({ code: error ? Number(error.code) : 0, out }),
    ),
  )

// Compose and Kubernetes have no folder of `npm start`.
describe('bahi doctor', () => {
  const here = home === undefined ? it.skip : it
  here('finds the platform of `npm start` well: five apps, each looked at as it runs', async () => {
    const { code, out } = await doctor()
    const { ok, findings } = JSON.parse(out) as { ok: boolean; findings: readonly Finding[] }
    expect(code).toBe(ok ? 0 : 1)
    // What other specs do to the platform meanwhile may leave messages waiting or parked, and is theirs to tell.
    expect(findings.filter(({ status, check }) => status === 'failed' && check !== 'lag')).toEqual([])
    expect(findings).toContainEqual({
      app: 'bahi',
      check: 'platform',
      status: 'ok',
      found: expect.stringMatching(/^runs from .* as process \d+$/),
    })
    for (const app of ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'])
      expect(findings.filter((each) => each.app === app && each.status === 'ok').map(({ check }) => check)).toEqual(
        expect.arrayContaining(['configuration', 'postgresql', 'durability', 'migrations', 'clock', 'log', 'topics', 'invariants']),
      )
  })
})
