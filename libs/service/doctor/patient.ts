import type { BaseConfig, PersonalDataConfig } from '#platform'
import type { Migration } from '#postgres'
import type { Invariant } from '../invariants.js'

/** What is read of any app's configuration. */
export type PatientConfig = BaseConfig & Partial<PersonalDataConfig>

export type Environment = Readonly<Record<string, string | undefined>>

/** An app as the doctor knows it. */
export interface Patient {
  /** Throws `InvalidConfig`. */
  read(env: Environment): PatientConfig
  readonly migrations: readonly Migration[]
  readonly invariants: readonly Invariant[]
  /** It has an event store with a relay that publishes from it. */
  readonly publishes: boolean
}
