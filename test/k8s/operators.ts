import { named, selects, workloadsOf, type KubeObject, type Peer } from './objects.js'

/** Of the API server: its Service's, and its own, for a plugin that looks at where a packet goes in the end. */
const API_PORTS = [443, 6_443]

/**
 * Pods that operators make and that ask the API server, without which they do not start: CloudNativePG's for their Cluster, and a broker, where its rack is
 * a label of its node, for that label. Where it is no manifest knows: so to anywhere.
 */
export const operatorPodsReachTheApiServer = (objects: readonly KubeObject[]): readonly string[] => {
  const policies = named(objects, 'NetworkPolicy').filter(({ spec }) => spec?.policyTypes?.includes('Egress'))
  return workloadsOf(objects)
    .filter(({ kind, object }) => kind === 'Cluster' || (kind === 'Kafka' && object.spec?.kafka?.rack?.topologyKey !== undefined))
    .filter(({ labels }) => {
      const mine = policies.filter(({ spec }) => selects(spec?.podSelector, labels))
      const anywhere = mine.flatMap(({ spec }) => spec?.egress ?? []).filter(({ to }) => to === undefined)
      return (
        mine.length > 0 &&
        !API_PORTS.every((asked) => anywhere.some(({ ports }) => ports === undefined || ports.some(({ port }) => port === asked)))
      )
    })
    .map(({ name }) => `${name} does not reach the API server`)
}

export interface Operator {
  readonly version: string
  /** Where it is, by name; none where that is nobody's matter. */
  readonly namespace: string | undefined
}

/** The table of what production needs, from docs/operations.md. */
export const operatorsOf = (page: string): ReadonlyMap<string, Operator> =>
  new Map(
    [...page.matchAll(/^\| ([\w ]+) \| (\d+\.\d+\.\d+) \| (?:`([\w-]+)`|any)[^|]* \|/gm)].map(([, name = '', version = '', namespace]) => [
      name,
      { version, namespace },
    ]),
  )

/** `kafka-versions.yaml` of the operator's releases: what is not supported is refused when it is applied, or no longer started after an upgrade. */
const KAFKA_BY_STRIMZI: Readonly<Record<string, readonly string[]>> = {
  '1.0.0': ['4.1.0', '4.1.1', '4.1.2', '4.2.0'],
  '1.1.0': ['4.2.0', '4.2.1', '4.3.0'],
  '1.2.0': ['4.2.0', '4.2.1', '4.3.0', '4.3.1'],
}
/** Of every cluster: its DNS. */
const KUBE_SYSTEM = 'kube-system'
const NAMESPACE_LABEL = 'kubernetes.io/metadata.name'

const peersOf = ({ kind, spec }: KubeObject): readonly Peer[] => {
  if (kind === 'Kafka') return spec?.kafka?.listeners.flatMap(({ networkPolicyPeers = [] }) => networkPolicyPeers) ?? []
  if (kind !== 'NetworkPolicy') return []
  return [...(spec?.ingress ?? []), ...(spec?.egress ?? [])].flatMap(({ from = [], to = [] }) => [...from, ...to])
}

/** What is written for other operators, or for operators that are elsewhere, is valid by every schema. */
export const fitsTheOperators = (objects: readonly KubeObject[], operators: ReadonlyMap<string, Operator>): readonly string[] => {
  const strimzi = operators.get('Strimzi')?.version ?? ''
  const there = new Set([KUBE_SYSTEM, ...[...operators.values()].map(({ namespace }) => namespace)])
  const asked = objects.flatMap(peersOf).map(({ namespaceSelector }) => namespaceSelector?.matchLabels?.[NAMESPACE_LABEL])
  const parents = named(objects, 'HTTPRoute')
    .flatMap(({ spec }) => spec?.parentRefs ?? [])
    .map(({ namespace }) => namespace)
  return [
    ...named(objects, 'Kafka')
      .filter(({ spec }) => !KAFKA_BY_STRIMZI[strimzi]?.includes(spec?.kafka?.version ?? ''))
      .map(({ metadata, spec }) => `Strimzi ${strimzi} does not take ${metadata.name} of ${spec?.kafka?.version}`),
    ...[...new Set([...asked, ...parents])]
      .filter((namespace) => namespace !== undefined && !there.has(namespace))
      .map((namespace) => `the namespace ${namespace} is in no table`),
  ]
}

/**
 * Strimzi makes a policy for its brokers, in which each listener is open to everybody unless it says to whom; policies add up. `whom` are apps, and
 * namespaces as `namespace/`.
 */
export const listenersAreOpenTo = (objects: readonly KubeObject[], whom: readonly string[]): readonly string[] =>
  named(objects, 'Kafka').flatMap(({ metadata, spec }) =>
    (spec?.kafka?.listeners ?? []).flatMap(({ name, networkPolicyPeers }) => {
      const of = `the listener ${name} of ${metadata.name}`
      if (!networkPolicyPeers?.length) return [`${of} is open to everybody`]
      const open = networkPolicyPeers.flatMap(({ podSelector, namespaceSelector, ipBlock }) => {
        if (ipBlock || (podSelector && namespaceSelector)) return ['somebody else']
        if (namespaceSelector) return [`${namespaceSelector.matchLabels?.[NAMESPACE_LABEL] ?? 'every namespace'}/`]
        return workloadsOf(objects).flatMap(({ name: app, labels }) => (selects(podSelector, labels) ? [app] : []))
      })
      return [
        ...open.filter((each) => !whom.includes(each)).map((each) => `${of} is open to ${each}`),
        ...whom.filter((each) => !open.includes(each)).map((each) => `${of} is closed to ${each}`),
      ]
    }),
  )

/** Pod Security `restricted`, of the containers that Strimzi makes: where nothing is said it gives them less, and no broker is admitted. */
export const brokersAreRestricted = (objects: readonly KubeObject[]): readonly string[] =>
  named(objects, 'Kafka').flatMap(({ metadata, spec }) =>
    ['kafkaContainer', ...(spec?.kafka?.rack ? ['initContainer'] : [])].flatMap((container) => {
      const context = spec?.kafka?.template?.[container]?.securityContext
      return [
        ...(context?.runAsNonRoot ? [] : ['may run as root']),
        ...(context?.seccompProfile?.type === 'RuntimeDefault' ? [] : ['has no seccomp profile']),
        ...(context?.allowPrivilegeEscalation === false ? [] : ['may gain privileges']),
        ...(context?.capabilities?.drop?.includes('ALL') ? [] : ['keeps capabilities']),
      ].map((what) => `the ${container} of ${metadata.name} ${what}`)
    }),
  )
