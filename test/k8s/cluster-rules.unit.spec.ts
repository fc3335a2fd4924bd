import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse, stringify } from 'yaml'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const RULES = 'deploy/prometheus/cluster-rules.yml'

interface Groups {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string; readonly annotations: { readonly runbook: string } }[]
  }[]
}
const { groups } = parse(read(RULES)) as Groups

describe('the rules of the cluster', () => {
  it('have each a test and a runbook, which is listed', () => {
    const [tested, listed] = [read('deploy/prometheus/cluster-rules.test.yml'), read('docs/runbooks/README.md')]
    const rules = groups.flatMap((group) => group.rules)
    expect(rules.length).toBeGreaterThan(3)
    for (const { alert, annotations } of rules) {
      expect([alert, tested.includes(`alertname: ${alert}\n`)]).toEqual([alert, true])
      expect([alert, read(annotations.runbook).includes(`\`${alert}\``)]).toEqual([alert, true])
      expect([alert, listed.includes(`| \`${alert}\` |`)]).toEqual([alert, true])
    }
  })

  it('look at the namespace of the overlay', () => {
    const { namespace } = parse(read('k8s/overlays/production/kustomization.yaml')) as { readonly namespace: string }
    const named = [...read(RULES).matchAll(/namespace="(\w+)"/g)].map(([, name]) => name)
    expect(named.length).toBeGreaterThan(3)
    expect(new Set(named)).toEqual(new Set([namespace]))
  })

  it('are those of the Prometheus operator', () => {
    const file = 'k8s/components/monitoring/cluster-rules.yaml'
    const made = `# Made from ${RULES} by \`npm run docs\`; a test compares.\n${stringify(
      { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata: { name: 'bahi-cluster' }, spec: { groups } },
      { lineWidth: 140, singleQuote: true, aliasDuplicateObjects: false },
    )}`
    if (process.env['BAHI_UPDATE_DOCS'] === 'true') writeFileSync(join(root, file), made)
    else expect(read(file)).toBe(made)
  })
})
