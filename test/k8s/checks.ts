import { TOPICS } from '#contracts'
import { InvalidConfig, parseConfig } from '#platform'
import { checkpointSettings, topicSpecs } from '#service'
import type { TObject } from 'typebox'
import { parse } from 'yaml'
import { fraudConfig } from '../../apps/fraud/fraud.config.js'
import { frontConfig } from '../../apps/front/front.config.js'
import { orderCommandConfig } from '../../apps/order-command/order-command.config.js'
import { orderQueryConfig } from '../../apps/order-query/order-query.config.js'
import { paymentSagaConfig } from '../../apps/payment-saga/payment-saga.config.js'
import { providerSandboxConfig } from '../../apps/provider-sandbox/sandbox.config.js'
import { walletConfig } from '../../apps/wallet/wallet.config.js'
import { named, selects, workloadsOf, type Container, type KubeObject, type Relabeling, type Workload } from './objects.js'
import { routesLeadToServices } from './routes.js'
import { backupsAreInTheRegion } from './stores.js'

type Check = (objects: readonly KubeObject[]) => readonly string[]

export const CONFIGS: Readonly<Record<string, TObject>> = {
  'order-command': orderCommandConfig,
  'order-query': orderQueryConfig,
  wallet: walletConfig,
  'payment-saga': paymentSagaConfig,
  fraud: fraudConfig,
  front: frontConfig,
  'provider-sandbox': providerSandboxConfig,
}
/** The apps with an event store. */
export const STORES = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
/** Whom each `job_name` of deploy/prometheus/prometheus.yml scrapes; a PodMonitor has the name of its job. */
const SCRAPED: Readonly<Record<string, readonly string[]>> = { apps: STORES, gateway: ['gateway'] }
/** `ENV PORT` of the Dockerfile. */
const APP_PORT = 3_000
/** What the image's health check and the apps' command line read beside the configuration. */
const BESIDE = new Set(['START_TIMEOUT_SECONDS', 'HEALTH_PATH', 'PORT'])
/** The apps' own limit of a drain, in seconds. */
const DRAIN_S = 25

export const appOf = ({ image }: Container): string | undefined => /(?:^|\/)bahi\/([\w-]+)(?::|$)/.exec(image)?.[1]
export const containersOf = (objects: readonly KubeObject[]): readonly { workload: Workload; container: Container }[] =>
  workloadsOf(objects).flatMap((workload) => (workload.pod?.containers ?? []).map((container) => ({ workload, container })))

export const selectorsMatchPods: Check = (objects) => {
  const workloads = workloadsOf(objects)
  const nobody = (kind: string, name: string): string => `${kind} ${name} selects no pod`
  return [
    ...named(objects, 'Service')
      .filter(({ spec }) => !workloads.some(({ labels }) => selects({ matchLabels: spec?.selector ?? {} }, labels)))
      .map(({ metadata }) => nobody('Service', metadata.name)),
    ...named(objects, 'PodDisruptionBudget')
      .filter(({ spec }) => workloads.filter(({ labels }) => selects(spec?.selector, labels)).length !== 1)
      .map(({ metadata }) => `PodDisruptionBudget ${metadata.name} is not of one workload`),
    ...named(objects, 'NetworkPolicy').flatMap(({ metadata, spec }) => {
      const selectors = [
        spec?.podSelector,
        ...[...(spec?.ingress ?? []), ...(spec?.egress ?? [])]
          .flatMap(({ from = [], to = [] }) => [...from, ...to])
          .filter(({ namespaceSelector, ipBlock }) => !namespaceSelector && !ipBlock)
          .map(({ podSelector }) => podSelector),
      ]
      return selectors.some((selector) => !workloads.some(({ labels }) => selects(selector, labels)))
        ? [nobody('NetworkPolicy', metadata.name)]
        : []
    }),
    ...workloads
      .filter(({ object, labels, kind }) => ['Deployment', 'StatefulSet'].includes(kind) && !selects(object.spec?.selector, labels))
      .map(({ kind, name }) => `${kind} ${name} does not select its own pods`),
    ...[...named(objects, 'HorizontalPodAutoscaler'), ...named(objects, 'ScaledObject')]
      .filter(({ spec }) => !workloads.some(({ kind, name }) => kind === 'Deployment' && name === spec?.scaleTargetRef?.name))
      .map(({ kind, metadata }) => `${kind} ${metadata.name} scales nothing`),
  ]
}

export const portsMatchListeners: Check = (objects) => {
  const workloads = workloadsOf(objects)
  const services = named(objects, 'Service').flatMap(({ metadata, spec }) =>
    (spec?.ports ?? []).flatMap(({ targetPort }) =>
      workloads
        .filter(({ labels, pod }) => pod && selects({ matchLabels: spec?.selector ?? {} }, labels))
        .filter(({ pod }) => !pod?.containers.some(({ ports = [] }) => ports.some(({ name }) => name === targetPort)))
        .map(({ name }) => `Service ${metadata.name} sends to ${targetPort} of ${name}, which has none`),
    ),
  )
  const containers = containersOf(objects).flatMap(({ workload, container }) => {
    const names = new Set((container.ports ?? []).map(({ name }) => name))
    const probes = [container.livenessProbe, container.readinessProbe, container.startupProbe]
    const wrong = probes.flatMap((probe) => probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? []).filter((port) => !names.has(String(port)))
    const listens = container.ports?.[0]?.containerPort
    const served = appOf(container) !== undefined && workload.kind === 'Deployment'
    return [
      ...wrong.map((port) => `${workload.name} is probed at ${port}, which it has not`),
      ...(served && listens !== APP_PORT ? [`${workload.name} listens on ${APP_PORT}, not on ${listens}`] : []),
    ]
  })
  return [...services, ...containers]
}

/** What stands for a secret: of the form that any of them may have. */
const SECRET = Buffer.alloc(32, 7).toString('base64url')

/** A container's environment as it will be; `undefined` where a reference leads nowhere. */
export const environmentOf = (objects: readonly KubeObject[], container: Container): ReadonlyMap<string, string | undefined> => {
  const maps = new Map(named(objects, 'ConfigMap').map(({ metadata, data = {} }) => [metadata.name, data]))
  const secrets = secretsOf(objects)
  const env = new Map<string, string | undefined>()
  for (const { configMapRef } of container.envFrom ?? [])
    for (const [key, value] of Object.entries(maps.get(configMapRef?.name ?? '') ?? { [`${configMapRef?.name}?`]: undefined }))
      env.set(key, value)
  for (const { name, value, valueFrom } of container.env ?? []) {
    const { secretKeyRef, configMapKeyRef, fieldRef } = valueFrom ?? {}
    if (secretKeyRef) env.set(name, secrets.has(`${secretKeyRef.name}/${secretKeyRef.key}`) ? SECRET : undefined)
    else if (configMapKeyRef) env.set(name, maps.get(configMapKeyRef.name)?.[configMapKeyRef.key])
    else if (fieldRef) env.set(name, 'field')
    else
      env.set(
        name,
        value?.replace(/\$\((\w+)\)/g, (whole, other: string) => env.get(other) ?? whole),
      )
  }
  return env
}

const secretsOf = (objects: readonly KubeObject[]): ReadonlySet<string> =>
  new Set([
    ...named(objects, 'Secret').flatMap(({ metadata, data, stringData }) =>
      Object.keys({ ...data, ...stringData }).map((key) => `${metadata.name}/${key}`),
    ),
    ...named(objects, 'ExternalSecret').flatMap(({ metadata, spec }) =>
      [...(spec?.data ?? []).map(({ secretKey }) => secretKey), ...Object.keys(spec?.target?.template?.data ?? {})].map(
        (key) => `${metadata.name}/${key}`,
      ),
    ),
  ])

/** By the apps' own schemas: every variable is known, every required one is set, every value is taken. */
export const environmentIsTheAppsOwn: Check = (objects) =>
  containersOf(objects).flatMap(({ workload, container }) => {
    const schema = CONFIGS[appOf(container) ?? '']
    if (!schema) return []
    const env = environmentOf(objects, container)
    const referred = new Set((container.env ?? []).flatMap(({ value = '' }) => [...value.matchAll(/\$\((\w+)\)/g)].map(([, name]) => name)))
    const [command = 'start'] = container.args ?? []
    const signs = command === 'checkpoint' ? checkpointSettings.properties : {}
    const unknown = [...env.keys()].filter(
      (key) => !(key in schema.properties) && !(key in signs) && !referred.has(key) && !BESIDE.has(key),
    )
    const nowhere = [...env].filter(([, value]) => value === undefined || /\$\(/.test(value)).map(([key]) => key)
    const found = [
      ...unknown.map((key) => `${workload.name}: ${key} is no setting of the app`),
      ...nowhere.map((key) => `${workload.name}: ${key} refers to what is not there`),
    ]
    if (command !== 'start')
      return [
        ...found,
        ...['DATABASE_URL', ...Object.keys(signs)].filter((key) => !env.has(key)).map((key) => `${workload.name}: ${key}: must be set`),
      ]
    try {
      parseConfig(schema, Object.fromEntries(env))
      return found
    } catch (error) {
      return [...found, `${workload.name}: ${error instanceof InvalidConfig ? error.message : String(error)}`]
    }
  })

/** To an app that believes no proxy every caller is the gateway: one address, one limit for all. */
export const appsBelieveTheGateway: Check = (objects) =>
  containersOf(objects)
    .filter(
      ({ workload, container }) => workload.kind === 'Deployment' && 'TRUST_PROXY' in (CONFIGS[appOf(container) ?? '']?.properties ?? {}),
    )
    .flatMap(({ workload, container }) =>
      environmentOf(objects, container).get('TRUST_PROXY') ? [] : [`${workload.name} takes the gateway for whoever calls`],
    )

/** A drain of a node moves pods one by one: a budget that never allows that would hold it up for ever. */
export const budgetsLetNodesDrain: Check = (objects) => {
  const budgets = named(objects, 'PodDisruptionBudget')
  const least = (name: string): number => {
    const scaler = [...named(objects, 'HorizontalPodAutoscaler'), ...named(objects, 'ScaledObject')].find(
      ({ spec }) => spec?.scaleTargetRef?.name === name,
    )
    return (
      scaler?.spec?.minReplicas ??
      scaler?.spec?.minReplicaCount ??
      named(objects, 'Deployment').find(({ metadata }) => metadata.name === name)?.spec?.replicas ??
      1
    )
  }
  return workloadsOf(objects)
    .filter(({ kind }) => kind === 'Deployment')
    .flatMap(({ name, labels }) => {
      const budget = budgets.find(({ spec }) => selects(spec?.selector, labels))?.spec
      if (!budget) return least(name) > 1 ? [`${name} has ${least(name)} pods and no budget`] : []
      const free = budget.maxUnavailable ?? least(name) - (budget.minAvailable ?? 0)
      return free >= 1 ? [] : [`the budget of ${name} never lets a pod go`]
    })
}

/** What brokers of Kafka 4 and newer understand (KIP-896); KEDA says 1.0.0 unless it is told. */
const speaksWithBrokers = (version = '1.0.0'): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 1)
}

export const scalersFitThePartitions: Check = (objects) => {
  const partitions = Math.min(...topicSpecs({ LOG: 'kafka' }).map((topic) => topic.partitions))
  const consumers = new Set(['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'])
  const scalers = [...named(objects, 'HorizontalPodAutoscaler'), ...named(objects, 'ScaledObject')].flatMap(({ kind, metadata, spec }) =>
    spec
      ? [
          {
            of: `${kind} ${metadata.name}`,
            namespace: metadata.namespace,
            target: spec.scaleTargetRef?.name ?? '',
            most: spec.maxReplicas ?? spec.maxReplicaCount ?? 1,
            triggers: spec.triggers ?? [],
          },
        ]
      : [],
  )
  const targets = scalers.map(({ target }) => target)
  return [
    ...scalers
      .filter(({ target, most }) => consumers.has(target) && most > partitions)
      .map(({ of, most }) => `${of} goes to ${most}, and a topic has ${partitions} partitions`),
    ...targets.filter((target, index) => targets.indexOf(target) !== index).map((target) => `${target} has two scalers`),
    ...named(objects, 'Deployment')
      .filter(({ metadata, spec }) => targets.includes(metadata.name) && spec?.replicas !== undefined)
      .map(({ metadata }) => `${metadata.name} is scaled, and says how many it is: each apply would undo the scaler's work`),
    ...scalers.flatMap(({ of, namespace, target, triggers }) =>
      triggers
        .filter(({ type }) => type === 'kafka')
        .flatMap(({ metadata }) => [
          ...(TOPICS.some((topic) => topic === metadata['topic']) ? [] : [`${of} looks at ${metadata['topic']}, which is no topic`]),
          ...(metadata['consumerGroup'] === target ? [] : [`${of} looks at the group ${metadata['consumerGroup']}`]),
          ...(speaksWithBrokers(metadata['version']) ? [] : [`${of} speaks as Kafka ${metadata['version'] ?? '1.0.0'} did`]),
          // The operator asks from a namespace of its own.
          ...(metadata['bootstrapServers']?.includes(`.${namespace}.svc:`)
            ? []
            : [`${of} looks for ${metadata['bootstrapServers']} in KEDA's namespace`]),
        ]),
    ),
  ]
}

/** Pod Security `restricted`, and what it does not ask for: no token, bounds, a root that cannot be written. */
export const podsAreRestricted: Check = (objects) =>
  containersOf(objects).flatMap(({ workload, container }) => {
    const { pod, name } = workload
    const { securityContext = {}, resources = {} } = container
    return [
      ...(pod?.automountServiceAccountToken === false ? [] : ['has a token of the cluster']),
      ...(pod?.serviceAccountName ? [] : ['runs as the default account']),
      ...(pod?.securityContext?.runAsNonRoot ? [] : ['may run as root']),
      ...(pod?.securityContext?.seccompProfile?.type === 'RuntimeDefault' ? [] : ['has no seccomp profile']),
      ...(pod?.volumes ?? []).flatMap(({ hostPath }) => (hostPath ? [`sees ${hostPath.path} of its node`] : [])),
      ...(securityContext.allowPrivilegeEscalation === false ? [] : ['may gain privileges']),
      ...(securityContext.capabilities?.drop?.includes('ALL') ? [] : ['keeps capabilities']),
      ...(securityContext.readOnlyRootFilesystem || workload.kind === 'StatefulSet' ? [] : ['can write its root']),
      ...(resources.requests?.['cpu'] && resources.requests['memory'] && resources.limits?.['memory'] ? [] : ['has no bounds']),
      ...(/:[\w.-]+$/.test(container.image) && !container.image.endsWith(':latest')
        ? []
        : [`has an image of no version: ${container.image}`]),
    ].map((what) => `${name} ${what}`)
  })

/** A rollout and an eviction are seen by nobody: the old pod goes on until the new one is ready, and drains before it ends. */
export const appsLeaveQuietly: Check = (objects) =>
  containersOf(objects)
    .filter(({ workload, container }) => workload.kind === 'Deployment' && (appOf(container) !== undefined || workload.name === 'gateway'))
    .flatMap(({ workload, container }) => {
      const { name, pod, object } = workload
      const preStop = container.lifecycle?.preStop?.sleep?.seconds ?? 0
      return [
        ...(object.spec?.strategy?.rollingUpdate?.maxUnavailable === 0 ? [] : ['takes a pod away before its successor is ready']),
        ...(preStop > 0 ? [] : ['ends while it is still sent requests']),
        ...((pod?.terminationGracePeriodSeconds ?? 30) > preStop + DRAIN_S ? [] : ['is killed before it has drained']),
        ...(container.startupProbe && container.readinessProbe && container.livenessProbe ? [] : ['lacks a probe']),
        ...(container.livenessProbe?.httpGet?.path === '/health/ready' ? ['is restarted for what it depends on'] : []),
      ].map((what) => `${name} ${what}`)
    })

/** Where requests are sent: what an app needs for messages alone takes no replica away, and front, which says what is not there, needs none. */
export const readyIsForRequests: Check = (objects) =>
  containersOf(objects).flatMap(({ workload, container }) => {
    const app = workload.kind === 'Deployment' ? appOf(container) : undefined
    if (app === undefined) return []
    const should = app === 'front' ? '/health/live' : '/health/ready?of=requests'
    const path = container.readinessProbe?.httpGet?.path
    return path === should ? [] : [`${workload.name} takes requests by ${path}, not by ${should}`]
  })

/** Nothing that gives tokens to anybody or moves no money goes to production. */
export const productionIsProduction: Check = (objects) => [
  ...named(objects, 'ConfigMap').flatMap(({ metadata, data = {} }) => [
    ...(data['DEV_ISSUER'] === 'true' ? [`${metadata.name} has the development issuer`] : []),
    ...(metadata.name.startsWith('settings') && data['NODE_ENV'] !== 'production' ? [`${metadata.name} is not of production`] : []),
  ]),
  ...workloadsOf(objects).flatMap(({ name }) => (name.includes('sandbox') ? [`${name} moves no money`] : [])),
  ...named(objects, 'Secret').map(({ metadata }) => `${metadata.name} is a secret in a manifest`),
]

const SPREAD_OVER = ['topology.kubernetes.io/zone', 'kubernetes.io/hostname']

/**
 * An app's pods, and the gateway's, are not all lost with a zone or a node. And what no schema says and the API server does: keys of a pod's own labels
 * only narrow a selector, which has to be there, and to be of that pod.
 */
export const podsAreSpread: Check = (objects) =>
  workloadsOf(objects).flatMap(({ name, kind, labels, pod }) => {
    const spreads = pod?.topologySpreadConstraints ?? []
    const isServed = kind === 'Deployment' && (name === 'gateway' || pod?.containers.some((each) => appOf(each) !== undefined))
    return [
      ...(spreads.some(({ labelSelector }) => !labelSelector || !selects(labelSelector, labels))
        ? [`${name} is spread among pods that are not its own`]
        : []),
      ...SPREAD_OVER.filter((key) => isServed && !spreads.some(({ topologyKey }) => topologyKey === key)).map(
        (key) => `${name} is not spread over ${key}`,
      ),
    ]
  })

/** What was rewritten since the last checkpoint cannot be told: each store is signed and archived once a day, signing first, and what is signed stays. */
export const storesAreSignedDaily: Check = (objects) =>
  STORES.flatMap((app) =>
    (['checkpoint', 'archive'] as const).flatMap((command) => {
      const job = named(objects, 'CronJob').find(({ metadata }) => metadata.name === `${command}-${app}`)
      const container = job?.spec?.jobTemplate?.spec.template.spec.containers.find((each) => appOf(each) === app)
      if (container?.args?.[0] !== command) return [`nothing runs ${command} of ${app}`]
      const { args, volumeMounts = [] } = container
      const folder = args[args.indexOf('--folder') + 1]
      const lasting = new Set(
        (job?.spec?.jobTemplate?.spec.template.spec.volumes ?? []).flatMap((each) => (each.persistentVolumeClaim ? [each.name] : [])),
      )
      return [
        ...(/^[0-9]{1,2} [0-9]{1,2} \* \* \*$/.test(job?.spec?.schedule ?? '') ? [] : [`${command} of ${app} does not run once a day`]),
        ...(command === 'archive' || volumeMounts.some(({ name, mountPath }) => mountPath === folder && lasting.has(name))
          ? []
          : [`the checkpoints of ${app} do not outlive their pod`]),
      ]
    }),
  )

type Part = 'receivers' | 'processors' | 'exporters'
type Settings = Readonly<Record<string, unknown>>
interface CollectorConfig extends Readonly<Record<Part, Readonly<Record<string, Settings>>>> {
  readonly extensions: Readonly<Record<string, Settings>>
  readonly service: {
    readonly extensions: readonly string[]
    readonly pipelines: { readonly logs: Readonly<Record<Part, readonly string[]>> }
  }
}
const PARTS: readonly Part[] = ['receivers', 'processors', 'exporters']

/** What a part's settings refer to: where it keeps things. */
const referredTo = (settings: unknown): readonly string[] =>
  typeof settings === 'object' && settings !== null
    ? Object.entries(settings).flatMap(([key, value]) => (typeof value === 'string' && key === 'storage' ? [value] : referredTo(value)))
    : []

const collectorFitsTogether = ({ service, extensions, ...config }: CollectorConfig): readonly string[] => {
  const without = (names: readonly string[], there: object) => names.filter((name) => !(name in there))
  const unused = (there: object, names: readonly string[]) => Object.keys(there).filter((name) => !names.includes(name))
  const { logs } = service.pipelines
  const referred = PARTS.flatMap((part) => logs[part].flatMap((name) => referredTo(config[part][name])))
  return [
    ...[...without(service.extensions, extensions), ...PARTS.flatMap((part) => without(logs[part], config[part]))].map(
      (name) => `${name} is not defined`,
    ),
    ...[...unused(extensions, service.extensions), ...PARTS.flatMap((part) => unused(config[part], logs[part]))].map(
      (name) => `${name} is not used`,
    ),
    ...[...new Set(referred)].filter((name) => !service.extensions.includes(name)).map((name) => `${name} is not started`),
  ]
}

/**
 * The collector of logs reads what the apps' pods write, and of the node no more; its parts fit together, what it keeps is kept on the node, and each
 * variable is set. `of` is the namespace of the apps.
 */
export const collectorReadsTheApps = (objects: readonly KubeObject[], of: string): readonly string[] => {
  const collector = workloadsOf(objects).find(({ kind }) => kind === 'DaemonSet')
  const text = named(objects, 'ConfigMap').find(({ metadata }) => metadata.name.startsWith('log-collector'))?.data?.['config.yaml'] ?? ''
  const config = parse(text) as CollectorConfig | null
  const [container] = collector?.pod?.containers ?? []
  if (!config || !container) return ['there is no collector']
  const set = new Set(container.env?.map(({ name }) => name))
  const mounted = new Map(container.volumeMounts?.map((mount) => [mount.name, mount]))
  const { include = [] } = config.receivers['file_log'] as { include?: readonly string[] }
  const kept = config.extensions['file_storage']?.['directory']
  const volumes = collector?.pod?.volumes ?? []
  return [
    ...collectorFitsTogether(config),
    ...[...text.matchAll(/\$\{env:(\w+)\}/g)].flatMap(([, name = '']) => (set.has(name) ? [] : [`${name} is not defined`])),
    ...include.filter((path) => !path.startsWith(`/var/log/pods/${of}_*/*/*.log`)).map((path) => `reads ${path}`),
    ...(volumes.some(({ name, hostPath }) => hostPath?.path === kept && mounted.get(name)?.mountPath === kept)
      ? []
      : [`what is in ${kept} does not outlive its pod`]),
    ...volumes.flatMap(({ name, hostPath }) => {
      if (!hostPath || hostPath.path === kept) return []
      return hostPath.path === '/var/log/pods' && mounted.get(name)?.readOnly ? [] : [`has ${hostPath.path} of the node`]
    }),
  ]
}

/** `__meta_kubernetes_pod_label_app_kubernetes_io_name`, as Prometheus finds a pod's label under. */
const metaLabel = (label: string): string => `__meta_kubernetes_pod_label_${label.replace(/\W/g, '_')}`

const dropsAll = ({ sourceLabels, regex, action }: Relabeling): boolean =>
  sourceLabels?.join() === '__name__' && regex === '.*' && action === 'drop'

/** By the operator's own relabelling alone, `job` were `namespace/name`, and `up` had no app: rules and dashboards ask for both. */
export const scrapesAreNamedAsRulesRead: Check = (objects) =>
  named(objects, 'PodMonitor').flatMap(({ metadata, spec }) => {
    const pods = workloadsOf(objects).filter(({ kind, labels }) => kind === 'Deployment' && selects(spec?.selector, labels))
    const [scraped, wanted] = [pods.map(({ name }) => name).sort(), (SCRAPED[metadata.name] ?? []).toSorted()]
    return [
      // Series of another that repeats theirs, as front does, would count twice.
      ...(scraped.join() === wanted.join()
        ? []
        : [`${metadata.name} scrapes ${scraped.join(', ') || 'nobody'}, and not ${wanted.join(', ')}`]),
      ...(spec?.podMetricsEndpoints ?? []).flatMap(({ port, relabelings = [], metricRelabelings = [] }) => {
        const job = relabelings.find(({ targetLabel }) => targetLabel === 'job')?.replacement
        const from = relabelings.find(({ targetLabel }) => targetLabel === 'app')?.sourceLabels
        return [
          ...(job === metadata.name ? [] : [`${metadata.name} scrapes as the job ${job}, and rules read ${metadata.name}`]),
          ...(metadata.name === 'apps' || metricRelabelings.some(dropsAll)
            ? []
            : [`${metadata.name} keeps series that repeat those of the apps`]),
          ...pods.flatMap(({ name, labels, pod }) => [
            ...(pod?.containers.some(({ ports = [] }) => ports.some((each) => each.name === port)) ? [] : [`${name} has no port ${port}`]),
            ...(Object.entries(labels).some(([label, value]) => from?.join() === metaLabel(label) && value === name)
              ? []
              : [`${metadata.name} does not say that ${name} is up`]),
          ]),
        ]
      }),
    ]
  })

export const CHECKS: Readonly<Record<string, Check>> = {
  selectorsMatchPods,
  portsMatchListeners,
  routesLeadToServices,
  environmentIsTheAppsOwn,
  appsBelieveTheGateway,
  budgetsLetNodesDrain,
  scalersFitThePartitions,
  podsAreRestricted,
  appsLeaveQuietly,
  readyIsForRequests,
  podsAreSpread,
  backupsAreInTheRegion,
  storesAreSignedDaily,
  scrapesAreNamedAsRulesRead,
}
