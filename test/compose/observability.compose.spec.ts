import { beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { parse } from 'yaml'
import { readText } from '../docs/embedded.js'
import { baseUrl } from '../e2e/shop.js'
import { describePanels, load, LOAD_MS } from '../observability/dashboards.js'
import { askPrometheus } from '../support/prometheus.js'

const SCRAPED = ['fraud', 'gateway', 'order-command', 'order-query', 'payment-saga', 'wallet']
const SCRAPED_MS = 60_000
const port = process.env['PROMETHEUS_PORT']
if (!port) throw new Error('PROMETHEUS_PORT is not set: run the suite through `npm run test:e2e:compose`')
const began_ms = Date.now()
const ask = (expr: string) => askPrometheus(`127.0.0.1:${port}`, expr, began_ms)

const of = async <T>(path: string): Promise<T> =>
  ((await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) })).json()) as { readonly data: T })
    .data

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly name?: string; readonly alert?: string; readonly record?: string }[] }[]
}

/** `docker compose --profile observability up`, without Grafana, whose dashboards are asked for what they would ask. */
describe("Compose's Prometheus", () => {
  it(
    'finds every app and the gateway, has each of the rules, and keeps exemplars',
    async () => {
      await eventually(
        'all are scraped',
        async () => {
          const found = await ask('up == 1')
          return JSON.stringify([...new Set(found.map(({ metric }) => metric['app'] ?? ''))].sort()) === JSON.stringify(SCRAPED)
        },
        SCRAPED_MS,
      )
      const { groups } = await of<Rules>('rules')
      const { groups: deployed } = parse(readText('deploy/prometheus/rules.yml')) as Rules
      expect(groups.flatMap(({ rules }) => rules.map(({ name }) => name)).sort()).toEqual(
        deployed.flatMap(({ rules }) => rules.map(({ alert, record }) => alert ?? record)).sort(),
      )
      expect((await of<Readonly<Record<string, string>>>('status/flags'))['enable-feature']).toBe('exemplar-storage')
    },
    2 * SCRAPED_MS,
  )

  describe('under load', () => {
    beforeAll(() => load(baseUrl()), LOAD_MS)
    describePanels(ask)
  })
})
