import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse, stringify } from 'yaml'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const sources = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => read(join(folder, name)))

/** Metrics that the code makes, by name and kind; those of the runtime come from prom-client. */
const OURS = new Map(
  [...sources('libs'), ...sources('apps')].flatMap((text) =>
    [...text.matchAll(/\b(counter|gauge|histogram)\((?:\{\s*name:)?\s*'([a-z_]+)'/gi)].map(([, kind = '', name = '']): [string, string] => [
      name,
      kind.toLowerCase(),
    ]),
  ),
)
const RUNTIME = new Set([
  'up',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_used_bytes',
])

interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly annotations?: { readonly runbook?: string; readonly summary?: string }
}
const { groups } = parse(read('deploy/prometheus/rules.yml')) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const recorded = new Map(rules.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, expr] as const])))

interface Panel {
  readonly title: string
  readonly datasource: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string }[]
}
const dashboards = readdirSync(join(root, 'deploy/grafana/dashboards')).map((file) => ({
  file,
  panels: (JSON.parse(read(`deploy/grafana/dashboards/${file}`)) as { readonly panels: readonly Panel[] }).panels,
}))

/** Names of metrics in PromQL: words that are no function, no label and no keyword. */
const namesIn = (expr: string): readonly string[] => {
  const bare = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '')
  return [...bare.matchAll(/([a-zA-Z_:][\w:]*)(?!\s*\(|\w)/g)]
    .map(([, name = '']) => name)
    .filter((name) => !['and', 'or', 'unless', 'offset', 'by', 'on', 'bool', 'w', 'd', 'h', 'm'].includes(name))
}

const unknown = (expr: string): readonly string[] =>
  namesIn(expr).filter((name) => {
    const base = name.replace(/_(bucket|sum|count)$/, '')
    return !(OURS.has(name) || OURS.get(base) === 'histogram' || RUNTIME.has(name) || recorded.has(name))
  })

/** What each series has that was scraped, whatever its metric. */
const OF_EVERY_SERIES = ['app', 'job', 'instance']

/** The labels that an expression's series have for certain: those of its leftmost vector, which operators keep. */
const labelsOf = (expr: string): readonly string[] => {
  const rest = expr.trim().replace(/^(?:\(|[\d.]+\s*[-*/]|(?:rate|increase|abs|avg_over_time)\()\s*/, '')
  if (rest !== expr.trim()) return labelsOf(rest)
  const [, aggregated, by = ''] = /^(sum|max|min|count|avg)\s*(?:by\s*\(([^)]*)\))?\s*\(/.exec(rest) ?? []
  if (aggregated) return by.split(',').map((label) => label.trim())
  const [, matchers] = /^absent\(\w+\{([^}]*)\}/.exec(rest) ?? []
  if (matchers !== undefined) return [...matchers.matchAll(/(\w+)="/g)].map(([, label = '']) => label)
  const [, quantile] = /^histogram_quantile\([\d.]+,([^]*)/.exec(rest) ?? []
  if (quantile !== undefined) return labelsOf(quantile).filter((label) => label !== 'le')
  const recording = recorded.get(/^[a-zA-Z_:][\w:]*/.exec(rest)?.[0] ?? '')
  return recording === undefined ? OF_EVERY_SERIES : labelsOf(recording)
}

/** Labels that a rule speaks of and its series do not have: Prometheus writes nothing in their place. */
const unsaid = ({ expr, annotations }: Pick<Rule, 'expr' | 'annotations'>): readonly string[] => {
  const said = [...(annotations?.summary ?? '').matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
  return said.filter((label) => !labelsOf(expr).includes(label))
}

const { scrape_configs } = parse(read('deploy/prometheus/prometheus.yml')) as {
  readonly scrape_configs: readonly {
    readonly job_name: string
    readonly dns_sd_configs: readonly { readonly names: readonly string[] }[]
  }[]
}
const CODE = [...sources('libs'), ...sources('apps')].join('\n')
const SCRAPED = new Set(scrape_configs.flatMap(({ job_name, dns_sd_configs }) => [job_name, ...(dns_sd_configs[0]?.names ?? [])]))

/** Values that a matcher asks for and nobody sets; statuses and routes of HTTP are not looked at. */
const unset = (expr: string): readonly string[] =>
  [...expr.matchAll(/(\w+)(?:=|!=|=~|!~)"([^"]*)"/g)]
    .filter(([, label]) => label !== 'route')
    .flatMap(([, label, values = '']) => values.split('|').map((value) => ({ label, value })))
    .filter(
      ({ label = '', value }) =>
        !/^\d/.test(value) && (label === 'job' || label === 'app' ? !SCRAPED.has(value) : !CODE.includes(`'${value}'`)),
    )
    .map(({ label, value }) => `${label}=${value}`)

describe('what is looked at is there', () => {
  it('finds a metric that no code makes', () => {
    expect(unknown('rate(nobody_counts_this_total{app="x"}[5m]) > 0 and on (app) up == 1')).toEqual(['nobody_counts_this_total'])
    expect(unknown('sum by (le) (rate(sagas_bucket[5m]))')).toEqual(['sagas_bucket'])
  })

  it('finds a label that the rule has not kept, and a value that no code sets', () => {
    const annotations = { summary: '{{ $labels.app }} of {{ $labels.topic }} is {{ $value }}' }
    expect(unsaid({ expr: 'max by (topic) (consumer_waiting_seconds) > 5', annotations })).toEqual(['app'])
    expect(unsaid({ expr: 'relay_age_seconds > 5', annotations })).toEqual(['topic'])
    expect(unsaid({ expr: 'abs(app:http_errors:ratio_rate5m - app:http_errors:ratio_rate5m offset 1w) > 1', annotations })).toEqual([
      'topic',
    ])
    expect(unset('sagas{status="NEEDS_ATENTION"} > 0 and up{job="app"}')).toEqual(['status=NEEDS_ATENTION', 'job=app'])
  })

  it.each(rules.map((rule) => [rule.record ?? rule.alert ?? '', rule] as const))(
    'the rule %s asks and tells of labels that there are',
    (_, rule) => {
      expect([unsaid(rule), unset(rule.expr)]).toEqual([[], []])
    },
  )

  it.each(rules.map((rule) => [rule.record ?? rule.alert ?? '', rule.expr]))('the rule %s reads metrics of the code', (_, expr) => {
    expect(namesIn(expr).length).toBeGreaterThan(0)
    expect(unknown(expr)).toEqual([])
  })

  it.each(
    dashboards.flatMap(({ file, panels }) =>
      panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [`${file}: ${title}`, expr] as const)),
    ),
  )('the panel %s reads metrics of the code', (_, expr) => {
    expect(namesIn(expr).length).toBeGreaterThan(0)
    expect([unknown(expr), unset(expr)]).toEqual([[], []])
  })

  it('every panel asks the Prometheus that Grafana is given', () => {
    const file = 'deploy/grafana/provisioning/datasources/prometheus.yml'
    const { datasources } = parse(read(file)) as { readonly datasources: readonly { readonly uid: string }[] }
    const asked = new Set(dashboards.flatMap(({ panels }) => panels.map(({ datasource }) => datasource.uid)))
    expect([...asked]).toEqual(datasources.map(({ uid }) => uid))
  })

  it('every alert has a runbook and a test', () => {
    const alerts = rules.filter(({ alert }) => alert !== undefined)
    expect(alerts.length).toBeGreaterThan(10)
    const tested = read('deploy/prometheus/rules.test.yml') + read('deploy/prometheus/rules.week.test.yml')
    for (const { alert, annotations } of alerts) {
      expect([alert, tested.includes(`alertname: ${alert}\n`)]).toEqual([alert, true])
      expect([alert, read(annotations?.runbook ?? '').includes(`${alert}`)]).toEqual([alert, true])
    }
  })

  it('an app without a replica is missed, whichever it is of those that are looked for', () => {
    const gone = rules.find(({ alert }) => alert === 'AppGone')?.expr ?? ''
    const missed = [...gone.matchAll(/absent\(up\{job="apps", app="([\w-]+)"\}\)/g)].map(([, app]) => app)
    expect(missed).toEqual(scrape_configs[0]?.dns_sd_configs[0]?.names)
  })

  it("the Prometheus operator's rules are those of Compose", () => {
    const file = 'k8s/components/monitoring/rules.yaml'
    const made = `# Made from deploy/prometheus/rules.yml by \`npm run docs\`; a test compares.\n${stringify(
      { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata: { name: 'bahi' }, spec: { groups } },
      { lineWidth: 140, singleQuote: true, aliasDuplicateObjects: false },
    )}`
    if (process.env['BAHI_UPDATE_DOCS'] === 'true') writeFileSync(join(root, file), made)
    else expect(read(file)).toBe(made)
  })
})
