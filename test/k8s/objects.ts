/** The parts of Kubernetes' objects that the checks read. */
export type Labels = Readonly<Record<string, string>>

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string }
    readonly configMapKeyRef?: { readonly name: string; readonly key: string }
    readonly fieldRef?: { readonly fieldPath: string }
  }
}
export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number }
  readonly tcpSocket?: { readonly port: string | number }
}
export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly EnvVar[]
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly startupProbe?: Probe
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels }
  readonly securityContext?: ContainerSecurity
}
export interface ContainerSecurity {
  readonly allowPrivilegeEscalation?: boolean
  readonly readOnlyRootFilesystem?: boolean
  readonly runAsNonRoot?: boolean
  readonly seccompProfile?: { readonly type: string }
  readonly capabilities?: { readonly drop?: readonly string[] }
}
export interface PodSpec {
  readonly automountServiceAccountToken?: boolean
  readonly serviceAccountName?: string
  readonly terminationGracePeriodSeconds?: number
  readonly topologySpreadConstraints?: readonly {
    readonly topologyKey: string
    readonly labelSelector?: Selector
    readonly matchLabelKeys?: readonly string[]
  }[]
  readonly securityContext?: { readonly runAsNonRoot?: boolean; readonly seccompProfile?: { readonly type: string } }
  readonly containers: readonly Container[]
  readonly volumes?: readonly {
    readonly name: string
    readonly persistentVolumeClaim?: { readonly claimName: string }
    readonly hostPath?: { readonly path: string }
    readonly projected?: {
      readonly sources: readonly {
        readonly secret?: { readonly name: string; readonly items?: readonly { readonly key: string; readonly path: string }[] }
      }[]
    }
  }[]
}
export interface Selector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values: readonly string[] }[]
}
export interface Peer {
  readonly podSelector?: Selector
  readonly namespaceSelector?: Selector
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] }
}
export interface PolicyRule {
  readonly from?: readonly Peer[]
  readonly to?: readonly Peer[]
  readonly ports?: readonly { readonly port: number }[]
}
export interface Relabeling {
  readonly sourceLabels?: readonly string[]
  readonly targetLabel?: string
  readonly replacement?: string
  readonly regex?: string
  readonly action?: string
}

interface Archive {
  readonly serverName?: string
  readonly destinationPath?: string
  readonly endpointURL?: string
  readonly wal?: { readonly encryption?: string }
  readonly data?: { readonly encryption?: string }
}
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels; readonly annotations?: Labels }
  readonly data?: Labels
  readonly stringData?: Labels
  // Each kind has its own; a check reads what its kind has.
  readonly spec?: {
    readonly replicas?: number
    readonly selector?: Selector & Labels
    readonly jobTemplate?: {
      readonly spec: { readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec } }
    }
    readonly schedule?: string
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec }
    readonly strategy?: { readonly rollingUpdate?: { readonly maxUnavailable: number | string; readonly maxSurge?: number | string } }
    readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[]
    readonly podSelector?: Selector
    readonly policyTypes?: readonly string[]
    readonly ingress?: readonly PolicyRule[]
    readonly egress?: readonly PolicyRule[]
    readonly minAvailable?: number
    readonly maxUnavailable?: number
    readonly scaleTargetRef?: { readonly name: string }
    readonly minReplicas?: number
    readonly maxReplicas?: number
    readonly minReplicaCount?: number
    readonly maxReplicaCount?: number
    readonly triggers?: readonly {
      readonly type: string
      readonly metadata: Labels
      readonly authenticationRef?: { readonly name: string }
    }[]
    readonly inheritedMetadata?: { readonly labels: Labels }
    readonly data?: readonly { readonly secretKey: string }[]
    readonly target?: { readonly template?: { readonly data: Labels } }
    readonly groups?: unknown
    readonly podMetricsEndpoints?: readonly {
      readonly port: string
      readonly relabelings?: readonly Relabeling[]
      readonly metricRelabelings?: readonly Relabeling[]
    }[]
    readonly rules?: readonly {
      readonly http?: {
        readonly paths: readonly {
          readonly path: string
          readonly pathType: string
          readonly backend: {
            readonly service: { readonly name: string; readonly port: { readonly name?: string; readonly number?: number } }
          }
        }[]
      }
      readonly matches?: readonly { readonly path: { readonly type: string; readonly value: string } }[]
      readonly backendRefs?: readonly { readonly name: string; readonly port: number }[]
    }[]
    readonly parentRefs?: readonly { readonly name: string; readonly namespace?: string }[]
    readonly hostnames?: readonly string[]
    readonly cluster?: { readonly name: string }
    readonly suspend?: boolean
    readonly bootstrap?: {
      readonly initdb?: object
      readonly recovery?: { readonly source?: string; readonly recoveryTarget?: { readonly targetTime?: string } }
    }
    readonly externalClusters?: readonly { readonly name: string; readonly barmanObjectStore?: Archive }[]
    readonly backup?: {
      readonly barmanObjectStore?: Archive
    }
    readonly storageClassName?: string
    readonly volumeClaimTemplates?: readonly { readonly spec: { readonly storageClassName?: string } }[]
    readonly storage?: { readonly class?: string; readonly storageClass?: string }
    readonly walStorage?: { readonly storageClass?: string }
    readonly instances?: number
    readonly imageName?: string
    readonly postgresql?: {
      readonly synchronous?: { readonly number: number; readonly dataDurability?: string }
      readonly parameters?: Labels
    }
    readonly roles?: readonly string[]
    readonly kafka?: {
      readonly version?: string
      readonly config: Readonly<Record<string, string | number | boolean>>
      readonly listeners: readonly {
        readonly name: string
        readonly port: number
        readonly tls: boolean
        readonly networkPolicyPeers?: readonly Peer[]
      }[]
      readonly rack?: { readonly topologyKey?: string }
      readonly template?: Readonly<Record<string, { readonly securityContext?: ContainerSecurity }>>
    }
    readonly secretTargetRef?: readonly { readonly parameter: string; readonly name: string; readonly key: string }[]
  }
}

export interface Workload {
  readonly name: string
  readonly kind: string
  readonly labels: Labels
  readonly object: KubeObject
  /** None of what an operator makes of a resource of its own. */
  readonly pod: PodSpec | undefined
}

const PODS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'])

export const workloadsOf = (objects: readonly KubeObject[]): readonly Workload[] =>
  objects.flatMap((object): Workload[] => {
    const { kind, metadata, spec } = object
    const { name } = metadata
    const template = spec?.template ?? spec?.jobTemplate?.spec.template
    if (PODS.has(kind) && template) return [{ name, kind, labels: template.metadata.labels, object, pod: template.spec }]
    // Pods that CloudNativePG and Strimzi make, by the labels that they give them. Those of the Jobs that make an instance or let one rejoin inherit
    // nothing from the Cluster: https://github.com/cloudnative-pg/cloudnative-pg/blob/v1.27.0/pkg/specs/jobs.go
    if (kind === 'Cluster') {
      const ofCluster = { 'cnpg.io/cluster': name }
      return [
        { name, kind, labels: { ...spec?.inheritedMetadata?.labels, ...ofCluster }, object, pod: undefined },
        { name: `${name}-job`, kind, labels: ofCluster, object, pod: undefined },
      ]
    }
    if (kind === 'Kafka') return [{ name, kind, labels: { 'app.kubernetes.io/name': 'kafka' }, object, pod: undefined }]
    return []
  })

export const selects = (selector: Selector | undefined, labels: Labels): boolean =>
  Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
  (selector?.matchExpressions ?? []).every(({ key, operator, values }) => operator === 'In' && values.includes(labels[key] ?? ''))

export const named = (objects: readonly KubeObject[], kind: string): readonly KubeObject[] => objects.filter((each) => each.kind === kind)
