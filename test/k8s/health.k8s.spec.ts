import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, it } from '@jest/globals'
import { at, call, poll } from '../e2e/shop.js'
import { kubectl, readyAgain } from './pods.js'

const PATIENCE_MS = 60_000
const BETWEEN_LOOKS_MS = 3_000

interface Looked {
  readonly findings: readonly { readonly check: string; readonly status: string; readonly found: string }[]
}

/** What is wrong ends in another exit code; where its consumer stands an app tells some seconds after its start. */
const wrongIn = async (app: string): Promise<unknown> => {
  const until = Date.now() + PATIENCE_MS
  for (;;) {
    const told = await kubectl(['exec', `deploy/${app}`, '--', 'sh', '-c', 'node main.mjs doctor --json || true'])
    const { findings } = JSON.parse(told) as Looked
    const wrong = findings.filter(({ status }) => status !== 'ok')
    if ((wrong.length === 0 && findings.length > 10) || Date.now() > until) return wrong
    await wait(BETWEEN_LOOKS_MS)
  }
}

describe('an app in its pod', () => {
  it.each(['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'])(
    '%s finds itself well by its own doctor',
    async (app) => {
      expect(await wrongIn(app)).toEqual([])
    },
    2 * PATIENCE_MS,
  )
})

describe('an app without a pod', () => {
  const back = async () => {
    await kubectl(['scale', 'deployment/fraud', '--replicas=1'])
    await readyAgain('fraud', 1)
  }
  afterAll(back, 300_000)

  it('is named by what the gateway says of the whole, which goes on answering', async () => {
    await kubectl(['scale', 'deployment/fraud', '--replicas=0'])
    await readyAgain('fraud', 0)
    const ready = await poll(
      () => call('GET', '/health/ready'),
      ({ status }) => status === 503,
    )
    expect([at(ready, 'checks.fraud.status'), at(ready, 'checks.wallet.status')]).toEqual(['unavailable', 'ok'])
    expect((await call('GET', '/v1/nowhere')).status).toBe(404)
    expect((await call('GET', '/v1/products')).status).toBe(200)
    await back()
    await poll(
      () => call('GET', '/health/ready'),
      ({ status }) => status === 200,
    )
  }, 600_000)
})
