import { named, type KubeObject } from './objects.js'

/** The class of production's volumes. That it encrypts is for who makes the cluster: no manifest shows it. */
const ENCRYPTED = 'encrypted'
/** Of S3: by its own keys, or by keys of KMS. */
const ENCRYPTIONS = new Set(['AES256', 'aws:kms'])

const clustersOf = (objects: readonly KubeObject[]): readonly KubeObject[] =>
  named(objects, 'Cluster').filter(({ apiVersion }) => apiVersion.startsWith('postgresql.cnpg.io'))

/** Each has a schedule. Backups are stores too: of payment data, and so in the region that the apps say (RBI, 2018). */
export const backupsAreInTheRegion = (objects: readonly KubeObject[]): readonly string[] => {
  const regions = named(objects, 'ConfigMap').flatMap(({ data }) => data?.['REGION'] ?? [])
  return clustersOf(objects).flatMap(({ metadata, spec }) => {
    const endpoint = spec?.backup?.barmanObjectStore?.endpointURL
    return [
      ...(named(objects, 'ScheduledBackup').some((each) => each.spec?.cluster?.name === metadata.name)
        ? []
        : [`${metadata.name} is never backed up`]),
      ...(endpoint && regions.some((region) => new URL(endpoint).hostname.split('.').includes(region))
        ? []
        : [`${metadata.name} is backed up to ${endpoint ?? 'a region that is not said'}, and the apps are in ${regions.join()}`]),
    ]
  })
}

/** A tag of PostgreSQL's version alone is of a Debian that gets no more builds: https://github.com/cloudnative-pg/postgres-containers#image-tags */
const IMAGE = /:\d+\.\d+-system-[a-z]+$/

/** Backups to an object store by CloudNativePG itself need Barman in the image, which only those of the type `system` have. */
export const imagesAreBuiltOn = (objects: readonly KubeObject[]): readonly string[] =>
  clustersOf(objects)
    .filter(({ spec }) => !IMAGE.test(spec?.imageName ?? ''))
    .map(({ metadata, spec }) => `${metadata.name} runs ${spec?.imageName}`)

/** Each volume that outlives its pod is of the class that encrypts, and each backup says how it is encrypted. */
export const encryptedAtRest = (objects: readonly KubeObject[]): readonly string[] => {
  const volumes = objects.flatMap(({ kind, metadata, spec }): readonly (readonly [string, string | undefined])[] => {
    const of = `${kind} ${metadata.name}`
    if (kind === 'PersistentVolumeClaim') return [[of, spec?.storageClassName]]
    if (kind === 'StatefulSet') return (spec?.volumeClaimTemplates ?? []).map((claim) => [of, claim.spec.storageClassName] as const)
    if (kind === 'KafkaNodePool') return [[of, spec?.storage?.class]]
    if (kind !== 'Cluster') return []
    return [[of, spec?.storage?.storageClass], ...(spec?.walStorage ? [[`${of}'s WAL`, spec.walStorage.storageClass] as const] : [])]
  })
  return [
    ...volumes.flatMap(([of, name]) => (name === ENCRYPTED ? [] : [`${of} is kept on ${name ?? 'whatever is the default'}`])),
    ...clustersOf(objects).flatMap(({ metadata, spec }) =>
      (['wal', 'data'] as const)
        .filter((part) => !ENCRYPTIONS.has(spec?.backup?.barmanObjectStore?.[part]?.encryption ?? ''))
        .map((part) => `the backup of ${metadata.name} has its ${part} in the open`),
    ),
  ]
}

/** What was acknowledged is on two machines at least, whichever is lost, and each store goes on without one of its three. */
export const acknowledgedIsOnTwo = (objects: readonly KubeObject[]): readonly string[] => {
  const brokers = named(objects, 'KafkaNodePool')
    .filter(({ spec }) => spec?.roles?.includes('broker'))
    .reduce((sum, { spec }) => sum + (spec?.replicas ?? 0), 0)
  const settings = {
    'default.replication.factor': 3,
    'min.insync.replicas': 2,
    'offsets.topic.replication.factor': 3,
    'transaction.state.log.replication.factor': 3,
    'transaction.state.log.min.isr': 2,
    'unclean.leader.election.enable': false,
  }
  return [
    ...named(objects, 'Kafka').flatMap(({ metadata: { name }, spec }) => [
      ...(brokers === 3 ? [] : [`${name} has ${brokers} brokers`]),
      ...Object.entries(settings)
        .filter(([key, value]) => spec?.kafka?.config[key] !== value)
        .map(([key, value]) => `${name} has ${key}=${spec?.kafka?.config[key]}, not ${value}`),
    ]),
    ...clustersOf(objects).flatMap(({ metadata: { name }, spec }) => [
      ...(spec?.instances === 3 ? [] : [`${name} has ${spec?.instances} instances`]),
      ...(spec?.postgresql?.synchronous?.number === 1 && spec.postgresql.synchronous.dataDurability === 'required'
        ? []
        : [`${name} acknowledges what is on one instance`]),
    ]),
  ]
}
