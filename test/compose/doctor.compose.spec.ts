import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import type { Finding } from '#service'
import { containersOf, exec } from './containers.js'

interface Looked {
  readonly ok: boolean
  readonly findings: readonly Finding[]
}

const PATIENCE_MS = 45_000
const BETWEEN_LOOKS_MS = 2_000

/** What is wrong ends in another exit code, and is told all the same. */
const look = async (container: string): Promise<Looked> => {
  const said = await exec(container, 'node', 'main.mjs', 'doctor', '--json').catch((error: { stdout?: string; stderr?: string }) => {
    if (!error.stdout) throw new Error(`doctor said nothing: ${error.stderr}`)
    return error.stdout
  })
  return JSON.parse(said) as Looked
}

const wrongOf = ({ findings }: Looked): readonly Finding[] => findings.filter(({ status }) => status !== 'ok')

/** Each app looks at itself, with its own environment and from its own place in the network. */
describe.each(['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'])('%s', (app) => {
  it('finds itself well, Kafka and Redis too', async () => {
    const [container] = await containersOf(app)
    if (container === undefined) throw new Error(`${app} does not run`)
    // Where its consumer stands an app tells some seconds after its start.
    const until = Date.now() + PATIENCE_MS
    let looked = await look(container)
    while (wrongOf(looked).length > 0 && Date.now() < until) {
      await wait(BETWEEN_LOOKS_MS)
      looked = await look(container)
    }
    expect(wrongOf(looked)).toEqual([])
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
