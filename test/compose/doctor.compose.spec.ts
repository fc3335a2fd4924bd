import { describe, expect, it } from '@jest/globals'
import type { Finding } from '#service'
import { containersOf, exec } from './containers.js'

/** Each app looks at itself, with its own environment and from its own place in the network: what is wrong is told by the exit code. */
describe.each(['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'])('%s', (app) => {
  it('finds itself well, Kafka and Redis too', async () => {
    const [container] = await containersOf(app)
    if (container === undefined) throw new Error(`${app} does not run`)
    const { ok, findings } = JSON.parse(await exec(container, 'node', 'main.mjs', 'doctor', '--json')) as {
      ok: boolean
      findings: readonly Finding[]
    }
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([])
    expect(ok).toBe(true)
    const checks = [
      'configuration',
      'versions',
      'postgresql',
      'durability',
      'migrations',
      'clock',
      'log',
      'topics',
      'lag',
      'redis',
      'invariants',
    ]
    expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(checks))
  })
})
