import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Client } from '../../apps/demo/client.js'
import { PLANS } from '../../apps/demo/orders.js'
import { failWithout, skippedWithout } from '../support/kafka.mjs'
import { newHome, removeHome, startPlatform, type Platform } from '../support/platform.mjs'
import { prometheusMissing, startPrometheus, type Series, type TestPrometheus } from '../support/prometheus.js'

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

const START_MS = 180_000
const LOAD_MS = 180_000
/** Until what was done has been scraped, and recorded by a rule: some scrapes, and what the apps themselves look at only every ten seconds. */
const SHOWN_MS = 45_000

const missing = prometheusMissing()

if (!skippedWithout({ describe, it }, 'the dashboards', missing)) {
  let home: string
  let platform: Platform
  let prometheus: TestPrometheus
  let until_ms = Infinity

  beforeAll(async () => {
    failWithout(missing)
    home = await newHome()
    platform = await startPlatform({ home, env: { FRAUD_SAMPLE_SHARE: '1' } })
    prometheus = await startPrometheus(new URL(platform.baseUrl).host, 'bahi')
    await load(platform.baseUrl)
    until_ms = Date.now() + SHOWN_MS
  }, START_MS + LOAD_MS)
  afterAll(async () => {
    await prometheus?.stop()
    await platform?.stop()
    await removeHome(home)
  }, 60_000)

  /** Why a panel of this query would stay blank, if it would. */
  const blank = async (expr: string, legend: string): Promise<string | undefined> => {
    for (;;) {
      const why = whyBlank(await prometheus.ask(expr), legend)
      if (why === undefined || Date.now() > until_ms) return why
      await wait(500)
    }
  }

  describe('a panel of a loaded system', () => {
    it.each(QUERIES)(
      'shows something: $panel',
      async ({ expr, legendFormat }) => {
        expect(await blank(expr, legendFormat)).toBeUndefined()
      },
      60_000,
    )

    it('would be found blank: of a metric that is not there, of no number, under a legend of no label', async () => {
      until_ms = 0
      expect(await blank('sum(nobody_counts_this_total)', 'all')).toBe('no series')
      expect(await blank('sum(up) * 0 / 0', 'all')).toBe('no finite number')
      expect(await blank('sum by (app) (up)', '{{topic}}')).toBe('no label topic')
    })
  })
}

const whyBlank = (series: readonly Series[], legend: string): string | undefined => {
  if (series.length === 0) return 'no series'
  if (!series.some(({ values }) => values.some(Number.isFinite))) return 'no finite number'
  const unsaid = [...legend.matchAll(/\{\{(\w+)\}\}/g)].find(([, label = '']) => !series.every(({ metric }) => metric[label]))
  return unsaid && `no label ${unsaid[1]}`
}

/** Orders that end in every way, as the demo places them, with alerts that a person decides; a refused request; and a sample with a label. */
const load = async (baseUrl: string): Promise<void> => {
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
