import { masterKeysOf, pgSubjectKeys, SUBJECT_KEYS_SCHEMA, type MasterKeys, type SubjectKeys } from '#event-store'
import type { Clock } from '#kernel'
import type { BaseConfig, PersonalDataConfig } from '#platform'
import { createPool } from '#postgres'
import type { Lifecycle } from './lifecycle.js'

/** Reads of a few keys at once, most of them answered from memory. */
const CONNECTIONS = 2

/** The master key, and those before it that still open. */
export const masterKeys = (config: Pick<PersonalDataConfig, 'MASTER_KEYS_BEFORE'> & Pick<BaseConfig, 'MASTER_KEY'>): MasterKeys =>
  masterKeysOf(config.MASTER_KEY, ...(config.MASTER_KEYS_BEFORE?.split(',') ?? []))

/** The keys of persons, where the configuration says they are. Nothing is connected before it is needed. */
export const openSubjectKeys = (
  name: string,
  config: PersonalDataConfig & Pick<BaseConfig, 'MASTER_KEY'>,
  { clock, lifecycle }: { readonly clock: Clock; readonly lifecycle: Lifecycle },
): SubjectKeys => {
  const pool = createPool({
    url: config.KEYS_DATABASE_URL,
    schema: SUBJECT_KEYS_SCHEMA,
    applicationName: `${name}-keys`,
    maxConnections: CONNECTIONS,
  })
  lifecycle.closes(() => pool.end())
  return pgSubjectKeys(pool, masterKeys(config), clock)
}
