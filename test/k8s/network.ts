import { named, selects, workloadsOf, type KubeObject, type Peer, type PolicyRule, type Workload } from './objects.js'

/** A peer of this namespace: what is elsewhere, or an address, is no workload of ours. */
const peers = (list: readonly Peer[] | undefined, other: Workload): boolean =>
  list === undefined ||
  list.some(({ podSelector, namespaceSelector, ipBlock }) => !namespaceSelector && !ipBlock && selects(podSelector, other.labels))

const portsTo = (rules: readonly (PolicyRule & { readonly list: readonly Peer[] | undefined })[], other: Workload): ReadonlySet<string> =>
  new Set(rules.filter(({ list }) => peers(list, other)).flatMap(({ ports }) => ports?.map(({ port }) => String(port)) ?? ['*']))

const both = (a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] => {
  if (a.has('*')) return [...b]
  return b.has('*') ? [...a] : [...a].filter((port) => b.has(port))
}

/** `from -> to:port` for each way that is open: the sender's policies let it out there, and the receiver's let it in. */
export const openEdges = (objects: readonly KubeObject[]): readonly string[] => {
  const workloads = workloadsOf(objects)
  const policies = named(objects, 'NetworkPolicy')
  const rulesOf = (workload: Workload, way: 'Ingress' | 'Egress') => {
    const mine = policies.filter(({ spec }) => selects(spec?.podSelector, workload.labels) && spec?.policyTypes?.includes(way))
    // Nothing selects it: everything is open.
    if (mine.length === 0) return [{ list: undefined }]
    return mine.flatMap(({ spec }) =>
      way === 'Ingress'
        ? (spec?.ingress ?? []).map((rule) => ({ ...rule, list: rule.from }))
        : (spec?.egress ?? []).map((rule) => ({ ...rule, list: rule.to })),
    )
  }
  const listens = ({ pod }: Workload): readonly string[] =>
    pod?.containers.flatMap(({ ports = [] }) => ports.map((each) => String(each.containerPort))) ?? ['*']
  return workloads.flatMap((from) =>
    workloads.flatMap((to) => {
      const open = both(portsTo(rulesOf(from, 'Egress'), to), portsTo(rulesOf(to, 'Ingress'), from))
      // A rule for a port where nothing listens opens nothing.
      const there = listens(to)
      const ports = new Set(open.flatMap((port) => (port === '*' ? there : there.includes('*') || there.includes(port) ? [port] : [])))
      return [...ports].map((port) => `${from.name} -> ${to.name}:${port}`)
    }),
  )
}
