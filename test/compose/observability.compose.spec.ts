import { beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { baseUrl } from '../e2e/shop.js'
import { describePanels, load, LOAD_MS } from '../observability/dashboards.js'
import { askPrometheus } from '../support/prometheus.js'

const APPS = ['fraud', 'order-command', 'order-query', 'payment-saga', 'wallet']
const SCRAPED_MS = 60_000
const port = process.env['PROMETHEUS_PORT']
if (!port) throw new Error('PROMETHEUS_PORT is not set: run the suite through `npm run test:e2e:compose`')
const began_ms = Date.now()
const ask = (expr: string) => askPrometheus(`127.0.0.1:${port}`, expr, began_ms)

/** `docker compose --profile observability up`, without Grafana, whose dashboards are asked for what they would ask. */
describe("Compose's Prometheus", () => {
  it(
    'finds every app, and has the rules',
    async () => {
      await eventually(
        'all are scraped',
        async () => {
          const found = await ask('up == 1')
          return JSON.stringify([...new Set(found.map(({ metric }) => metric['app'] ?? ''))].sort()) === JSON.stringify(APPS)
        },
        SCRAPED_MS,
      )
      const rules = await fetch(`http://127.0.0.1:${port}/api/v1/rules`, { signal: AbortSignal.timeout(10_000) })
      const { data } = (await rules.json()) as { readonly data: { readonly groups: readonly { readonly rules: readonly unknown[] }[] } }
      expect(data.groups.flatMap((group) => group.rules).length).toBeGreaterThan(20)
    },
    2 * SCRAPED_MS,
  )

  describe('under load', () => {
    beforeAll(() => load(baseUrl()), LOAD_MS)
    describePanels(ask)
  })
})
