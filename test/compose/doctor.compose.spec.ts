import { describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import type { Finding } from '#service'
import { containersOf, exec } from './containers.js'

interface Looked {
  readonly ok: boolean
  readonly findings: readonly Finding[]
}

/** Each app looks at itself, with its own environment and from its own place in the network. */
describe.each(['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'])('%s', (app) => {
  it('finds itself well, Kafka and Redis too', async () => {
    const [container] = await containersOf(app)
    if (container === undefined) throw new Error(`${app} does not run`)
    let looked: Looked = { ok: false, findings: [] }
    // What is wrong ends in another exit code, and is told all the same; where its consumer stands an app tells some seconds after its start.
    await eventually(
      'nothing is wrong',
      async () => {
        const said = exec(container, 'node', 'main.mjs', 'doctor', '--json').catch(({ stdout }: { stdout: string }) => stdout)
        looked = JSON.parse(await said) as Looked
        return looked.findings.every(({ status }) => status === 'ok')
      },
      60_000,
    ).catch(() => expect(looked.findings.filter(({ status }) => status !== 'ok')).toEqual([]))
    expect(looked.ok).toBe(true)
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
    expect(looked.findings.map(({ check }) => check)).toEqual(expect.arrayContaining(checks))
  })
})
