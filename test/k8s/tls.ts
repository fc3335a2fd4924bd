import { appOf, containersOf, environmentOf } from './checks.js'
import { named, type Container, type KubeObject, type Workload } from './objects.js'

/** Of Strimzi's cluster `kafka` and of CloudNativePG's `postgres`, as these operators name what they make. */
const KAFKA_AUTHORITY = 'kafka-cluster-ca-cert/ca.crt'
const POSTGRES_AUTHORITY = 'postgres-ca/ca.crt'

/** Which secret's key a container finds at a path, through its mounts. */
const secretAt = ({ pod }: Workload, { volumeMounts = [] }: Container, path: string): string | undefined => {
  const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`))
  const sources = pod?.volumes?.find(({ name }) => name === mount?.name)?.projected?.sources ?? []
  const files = sources.flatMap(({ secret }) => (secret?.items ?? []).map((item) => ({ ...item, of: secret?.name })))
  const file = files.find((each) => `${mount?.mountPath}/${each.path}` === path)
  return file && `${file.of}/${file.key}`
}

/** Databases and brokers are spoken to by TLS alone, and only where the authority of their own cluster vouches for them; by KEDA too. */
export const storesAreReachedByTls = (objects: readonly KubeObject[]): readonly string[] => [
  ...named(objects, 'Kafka').flatMap(({ metadata, spec }) =>
    (spec?.kafka?.listeners ?? []).filter(({ tls }) => !tls).map(({ port }) => `${metadata.name} listens in the open at ${port}`),
  ),
  ...containersOf(objects)
    .filter(({ container }) => appOf(container) !== undefined)
    .flatMap(({ workload, container }) => {
      const env = environmentOf(objects, container)
      const databases = [...env].flatMap(([key, value]) => {
        if (!value?.startsWith('postgres://')) return []
        const words = new URL(value).searchParams
        if (words.get('sslmode') !== 'verify-full') return [`${key} asks for no TLS`]
        return secretAt(workload, container, words.get('sslrootcert') ?? '') === POSTGRES_AUTHORITY
          ? []
          : [`${key} trusts who is not its cluster's`]
      })
      const trusted = secretAt(workload, container, env.get('KAFKA_CA_FILE') ?? '') === KAFKA_AUTHORITY
      const brokers = [
        ...(env.get('KAFKA_TLS') === 'true' ? [] : ['KAFKA_TLS is not set']),
        ...(trusted ? [] : ["KAFKA_CA_FILE is not of the brokers' authority"]),
      ]
      return [...databases, ...(env.has('KAFKA_BROKERS') ? brokers : [])].map((what) => `${workload.kind} ${workload.name}: ${what}`)
    }),
  ...named(objects, 'ScaledObject').flatMap((scaled) =>
    (scaled.spec?.triggers ?? [])
      .filter(({ type }) => type === 'kafka')
      .flatMap(({ metadata, authenticationRef }) => {
        const by = named(objects, 'TriggerAuthentication').find(({ metadata: { name } }) => name === authenticationRef?.name)
        const trusts = by?.spec?.secretTargetRef?.some(
          ({ parameter, name, key }) => parameter === 'ca' && `${name}/${key}` === KAFKA_AUTHORITY,
        )
        return metadata['tls'] === 'enable' && trusts
          ? []
          : [`the scaler of ${scaled.metadata.name} asks for ${metadata['topic']} without TLS`]
      }),
  ),
]
