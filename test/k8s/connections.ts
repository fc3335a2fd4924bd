import { parseConfig } from '#platform'
import { appOf, CONFIGS, containersOf, environmentOf } from './checks.js'
import { named, type KubeObject } from './objects.js'

/**
 * Connections of a replica beside DATABASE_CONNECTIONS: the event store's batches (3), the keys of persons (2), the doorbells of the relay and of the
 * sagas (1 each), and the offsets of order-query's log (2).
 */
const BESIDE: Readonly<Record<string, number>> = { 'order-command': 6, 'order-query': 7, wallet: 6, 'payment-saga': 7, fraud: 4 }
/** Of a migration, and of a job that signs or archives. */
const OF_A_JOB = 2
/** Kept for superusers (3), and of replicas, the operator and a person who looks. */
const RESERVED = 20

/** The most connections that there can be: each app at its scaler's most, and as many more as a rollout makes, with all jobs at once. */
export const connectionsFit = (objects: readonly KubeObject[]): readonly string[] => {
  const scalers = [...named(objects, 'HorizontalPodAutoscaler'), ...named(objects, 'ScaledObject')]
  const most = containersOf(objects).reduce((sum, { workload: { kind, name, object }, container }) => {
    const app = appOf(container) ?? ''
    const beside = BESIDE[app]
    const schema = CONFIGS[app]
    if (beside === undefined || !schema) return sum
    if (kind !== 'Deployment') return sum + OF_A_JOB
    const { DATABASE_CONNECTIONS } = parseConfig(schema, Object.fromEntries(environmentOf(objects, container)))
    const scaler = scalers.find(({ spec }) => spec?.scaleTargetRef?.name === name)?.spec
    const replicas = scaler?.maxReplicas ?? scaler?.maxReplicaCount ?? object.spec?.replicas ?? 1
    return sum + (replicas + Number(object.spec?.strategy?.rollingUpdate?.maxSurge ?? 1)) * (Number(DATABASE_CONNECTIONS) + beside)
  }, RESERVED)
  return named(objects, 'Cluster').flatMap(({ metadata, spec }) => {
    const limit = Number(spec?.postgresql?.parameters?.['max_connections'] ?? 100)
    return most <= limit ? [] : [`${metadata.name} takes ${limit} connections, and there may be ${most}`]
  })
}
