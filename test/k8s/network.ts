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

const NAMESPACE_LABEL = 'kubernetes.io/metadata.name'

/** Who a peer is that is no pod of this namespace; nothing of one that is. */
const elsewhere = ({ podSelector, namespaceSelector, ipBlock }: Peer): readonly string[] => {
  if (ipBlock) return [`${ipBlock.cidr}${ipBlock.except ? ` except ${ipBlock.except.join(' ')}` : ''}`]
  if (!namespaceSelector) return []
  const pods = Object.values(podSelector?.matchLabels ?? {}).join()
  return [`${namespaceSelector.matchLabels?.[NAMESPACE_LABEL] ?? 'every namespace'}/${pods}`]
}

/** `policy: who -> whom:port` for each way into and out of the namespace that a policy opens; `anywhere` is whoever can be reached, inside or outside. */
export const edgesElsewhere = (objects: readonly KubeObject[]): readonly string[] =>
  named(objects, 'NetworkPolicy').flatMap(({ metadata, spec }) => {
    const { matchLabels = {}, matchExpressions = [] } = spec?.podSelector ?? {}
    const own = [...Object.values(matchLabels), ...matchExpressions.flatMap(({ values }) => values)].join() || 'everybody'
    const ways = (rules: readonly PolicyRule[] | undefined, way: 'from' | 'to') =>
      (rules ?? []).flatMap((rule) =>
        (rule[way]?.flatMap(elsewhere) ?? ['anywhere']).flatMap((other) =>
          [...new Set(rule.ports?.map(({ port }) => String(port)) ?? ['*'])].map(
            (port) => `${metadata.name}: ${way === 'from' ? `${other} -> ${own}` : `${own} -> ${other}`}:${port}`,
          ),
        ),
      )
    return [...ways(spec?.ingress, 'from'), ...ways(spec?.egress, 'to')]
  })
