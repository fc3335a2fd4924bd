import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { Client } from '../../apps/demo/client.js'
import { PLANS } from '../../apps/demo/orders.js'
import type { Series } from '../support/prometheus.js'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

interface Panel {
  readonly title: string
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[]
}
const folder = join(root, 'deploy/grafana/dashboards')
const QUERIES = readdirSync(folder).flatMap((file) =>
  (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { readonly panels: readonly Panel[] }).panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({ panel: `${file}: ${title}`, expr, legendFormat })),
  ),
)

export const LOAD_MS = 180_000
/** Until what was done has been scraped, and recorded by a rule: some scrapes, and what the apps themselves look at only every ten seconds. */
const SHOWN_MS = 60_000

/** Orders that end in every way, as the demo places them, with alerts that a person decides; a refused request; and a sample with a label. */
export const load = async (baseUrl: string): Promise<void> => {
  const demo = ['dist/apps/demo/main.js', '--url', baseUrl, '--orders', String(PLANS.length), '--customers', '10', '--width', '8', '--json']
  await run(process.execPath, demo, { cwd: root, timeout: LOAD_MS })
  const client = new Client(baseUrl)
  await client.expect([401], 'GET', '/v1/orders')
  const token = await client.token('risk', 'risk')
  type Samples = { readonly items: readonly { readonly alertId: string }[] }
  const { body } = await client.expect<Samples>([200], 'GET', '/v1/fraud/alerts?status=sampled', { token })
  const label = { decision: 'decline', note: 'The card was stolen.' }
  await client.expect([200], 'POST', `/v1/fraud/alerts/${body.items[0]?.alertId}/decision`, { token, key: 'label', body: label })
}

/** A test for each query of each panel. `ask` is of a Prometheus that scrapes a system which bears `load` before the first of them. */
export const describePanels = (ask: (expr: string) => Promise<readonly Series[]>): void => {
  let until_ms: number | undefined
  /** Why a panel of this query would stay blank, if it would. */
  const blank = async (expr: string, legend: string, patience_ms = SHOWN_MS): Promise<string | undefined> => {
    const until = patience_ms === 0 ? 0 : (until_ms ??= Date.now() + patience_ms)
    for (;;) {
      const why = whyBlank(await ask(expr), legend)
      if (why === undefined || Date.now() > until) return why
      await wait(500)
    }
  }

  describe('a panel of a loaded system', () => {
    it.each(QUERIES)(
      'shows something: $panel',
      async ({ expr, legendFormat }) => {
        expect(await blank(expr, legendFormat)).toBeUndefined()
      },
      2 * SHOWN_MS,
    )

    it('would be found blank: of a metric that is not there, of no number, under a legend of no label', async () => {
      expect(await blank('sum(nobody_counts_this_total)', 'all', 0)).toBe('no series')
      expect(await blank('sum(up) * 0 / 0', 'all', 0)).toBe('no finite number')
      expect(await blank('sum by (app) (up)', '{{topic}}', 0)).toBe('no label topic')
    })
  })
}

const whyBlank = (series: readonly Series[], legend: string): string | undefined => {
  if (series.length === 0) return 'no series'
  if (!series.some(({ values }) => values.some(Number.isFinite))) return 'no finite number'
  const unsaid = [...legend.matchAll(/\{\{(\w+)\}\}/g)].find(([, label = '']) => !series.every(({ metric }) => metric[label]))
  return unsaid && `no label ${unsaid[1]}`
}
