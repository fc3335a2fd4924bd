import { CONTRACTS, TOPICS } from '#contracts'
import { kafkaLog, postgresLog, type KafkaSecurity, type LogDriver, type TopicSpec } from '#messaging'
import { baseConfig, InvalidConfig, type BaseConfig } from '#platform'
import { readFileSync } from 'node:fs'
import Type, { type Static } from 'typebox'

/**
 * Kafka's are what a group's members share, and free. In PostgreSQL each is a batch, a fence and a commit of its own in every group, on the
 * disk and the cores that all of them share: measured, fewer and larger batches carry more.
 */
const PARTITIONS: Readonly<Record<BaseConfig['LOG'], number>> = { kafka: 6, postgres: 1 }
const WEEK_MS = 7 * 86_400_000

/** Every topic that the apps share. Each app makes sure of all of them, so that they may start in any order. */
export const topicSpecs = ({ LOG }: Pick<BaseConfig, 'LOG'>): readonly TopicSpec[] =>
  TOPICS.map((name) => ({ name, partitions: PARTITIONS[LOG], retention_ms: WEEK_MS }))

/** Where the log is, and how it is reached. */
export const logSettings = Type.Pick(Type.Object(baseConfig), [
  'LOG',
  'LOG_DATABASE_URL',
  'KAFKA_BROKERS',
  'KAFKA_CLIENT',
  'KAFKA_TLS',
  'KAFKA_CA_FILE',
  'KAFKA_SASL',
  'KAFKA_USERNAME',
  'KAFKA_PASSWORD',
  'SCHEMA_REGISTRY_URL',
])

export type LogPlace = Static<typeof logSettings>

/** The log that the configuration names: the one place where the two ways to run differ. Before anything connects, see `kafkaLog`. Rejects with `InvalidConfig`. */
export const openLog = async (name: string, place: LogPlace & Pick<BaseConfig, 'DATABASE_URL'>): Promise<LogDriver> => {
  if (place.LOG === 'postgres') return postgresLog({ url: place.LOG_DATABASE_URL ?? place.DATABASE_URL })
  if (place.KAFKA_BROKERS === undefined) throw new InvalidConfig('KAFKA_BROKERS: must be set where LOG is kafka')
  const { KAFKA_CLIENT: client, SCHEMA_REGISTRY_URL: url } = place
  if (url !== undefined && !URL.canParse(url)) throw new InvalidConfig('SCHEMA_REGISTRY_URL: is no URL')
  return kafkaLog({
    clientId: name,
    brokers: place.KAFKA_BROKERS.split(','),
    ...(client && { client }),
    ...(url !== undefined && { registry: { url, contracts: CONTRACTS } }),
    ...securityOf(place),
  })
}

const securityOf = (place: LogPlace): KafkaSecurity => {
  const {
    KAFKA_TLS: tls = false,
    KAFKA_CA_FILE: caFile,
    KAFKA_SASL: mechanism = 'scram-sha-512',
    KAFKA_USERNAME: username,
    KAFKA_PASSWORD: password,
  } = place
  if (!tls && caFile !== undefined) throw new InvalidConfig('KAFKA_CA_FILE: is of use only with KAFKA_TLS')
  if ((username === undefined) !== (password === undefined)) throw new InvalidConfig('KAFKA_USERNAME, KAFKA_PASSWORD: both or none')
  // SCRAM does not send the password, but what follows would go in the open, to whoever answers.
  if (!tls && username !== undefined) throw new InvalidConfig('KAFKA_USERNAME: needs KAFKA_TLS')
  return {
    ...(tls && { tls: caFile === undefined ? {} : { ca: certificates(caFile) } }),
    ...(username !== undefined && password !== undefined && { sasl: { mechanism, username, password } }),
  }
}

const certificates = (file: string): string => {
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch {
    throw new InvalidConfig(`KAFKA_CA_FILE: ${file} cannot be read`)
  }
  // Nothing in it would mean that nobody is trusted, and that would look as if the brokers were at fault.
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new InvalidConfig(`KAFKA_CA_FILE: ${file} has no certificate in PEM`)
  return pem
}
