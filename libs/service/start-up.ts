import { SUBJECT_KEYS_SCHEMA, subjectKeyMigrations } from '#event-store'
import { systemClock, systemRandom, type Clock, type Random } from '#kernel'
import { acceptLog, isTransient, logMigrations, pgConsumerStore, type LogDriver } from '#messaging'
import { personalDataConfig, type BaseConfig, type PersonalDataConfig } from '#platform'
import { createPool, migrate, pgTransactions, type MigrateOptions, type Migration } from '#postgres'
import Type from 'typebox'
import { openLog, topicSpecs, type LogPlace } from './log.js'

/** Read beside an app's own variables, by its command line. */
export const startSettings = {
  START_TIMEOUT_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 3_600,
    default: 60,
    description: 'How long a start waits for the database and the log to be there.',
  }),
}

const { KEYS_DATABASE_URL } = personalDataConfig
export const keySettings = Type.Object({ KEYS_DATABASE_URL })

export interface Places {
  readonly name: string
  readonly migrations: readonly Migration[]
  readonly DATABASE_URL: string
  readonly DATABASE_SCHEMA: string
  readonly START_TIMEOUT_SECONDS: number
  /** Where the keys of persons are, for the app that makes them. */
  readonly keys?: Pick<PersonalDataConfig, 'KEYS_DATABASE_URL'> | undefined
  /** None for an app without a log. */
  readonly log: LogPlace | undefined
}

interface Waiting {
  readonly clock?: Clock
  readonly random?: Random
  /** Told once per thing that is waited for. */
  readonly say?: (line: string) => void
}

const LOG_SCHEMA = 'log'

/** Brings the app's database, and the log where that is in PostgreSQL, to today's shape. Answers the names of the migrations that ran. */
export const migrateApp = async (places: Places, waiting: Waiting = {}): Promise<readonly string[]> => {
  const ran: string[] = []
  for (const schema of schemasOf(places)) ran.push(...(await untilThere(places, database(schema.url), () => migrate(schema), waiting)))
  return ran
}

const ownSchemas = ({ DATABASE_URL, DATABASE_SCHEMA, migrations, keys }: Places): readonly MigrateOptions[] => [
  { url: DATABASE_URL, schema: DATABASE_SCHEMA, migrations },
  ...(keys ? [{ url: keys.KEYS_DATABASE_URL, schema: SUBJECT_KEYS_SCHEMA, migrations: subjectKeyMigrations }] : []),
]

const schemasOf = (places: Places): readonly MigrateOptions[] => {
  const { log, DATABASE_URL } = places
  if (log?.LOG !== 'postgres') return ownSchemas(places)
  return [...ownSchemas(places), { url: log.LOG_DATABASE_URL ?? DATABASE_URL, schema: LOG_SCHEMA, migrations: logMigrations }]
}

/** Resolves when the database is there and migrated and the log is there with its topics; rejects with one line that says what is not. */
export const awaitReady = async (places: Places, waiting: Waiting = {}): Promise<void> => {
  const { DATABASE_URL, log, name } = places
  const open = (place: LogPlace): Promise<LogDriver> => openLog(name, { ...place, DATABASE_URL })
  // Refuses what cannot be opened, before anything is waited for; nothing is connected yet.
  if (log) await (await open(log)).close()
  for (const schema of ownSchemas(places)) {
    const pending = await untilThere(places, database(schema.url), () => pendingMigrations(schema, name), waiting)
    if (pending.length > 0)
      throw new Error(`the database is not migrated (${pending.length} migrations are to run): npm run migrate -- --app ${name}`)
  }
  if (!log) return
  const where = log.LOG === 'kafka' ? `Kafka at ${log.KAFKA_BROKERS}` : `the log, ${database(log.LOG_DATABASE_URL ?? DATABASE_URL)}`
  await untilThere(places, where, async () => withLog(await open(log), log), waiting)
}

/** `acceptLog` for the app's group. Answers a line for each partition that it moved. */
export const acceptAppLog = async (places: Places, all: boolean): Promise<readonly string[]> => {
  const { DATABASE_URL, DATABASE_SCHEMA, log, name } = places
  if (!log) throw new Error('it has no log')
  const driver = await openLog(name, { ...log, DATABASE_URL })
  const pool = createPool({ url: DATABASE_URL, schema: DATABASE_SCHEMA, applicationName: name, maxConnections: 2 })
  try {
    const moved = await acceptLog({ driver, consumerStore: pgConsumerStore(pool), transactions: pgTransactions(pool), group: name, all })
    return moved.map(({ topic, partition, next, first }) => `${topic}/${partition}: from ${next} back to ${first}`)
  } finally {
    await pool.end()
    await driver.close()
  }
}

/** A driver of its own each time: what a failed one still tries does not disturb the next. */
const withLog = async (driver: LogDriver, log: Pick<BaseConfig, 'LOG'>): Promise<void> => {
  try {
    await driver.ensureTopics(topicSpecs(log))
  } finally {
    await driver.close()
  }
}

/** Names of the migrations that are still to run. */
export const pendingMigrations = async ({ url, schema, migrations }: MigrateOptions, name: string): Promise<readonly string[]> => {
  const pool = createPool({ url, schema, applicationName: name, maxConnections: 1 })
  try {
    // Null where the table, or the whole schema, is not there.
    const found = await pool.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [`${schema}.migrations`])
    const ran = found.rows[0]?.there ? (await pool.query<{ name: string }>('SELECT name FROM migrations')).rows : []
    const names = new Set(ran.map(({ name }) => name))
    return migrations.map((Each) => new Each().name ?? Each.name).filter((each) => !names.has(each))
  } finally {
    await pool.end()
  }
}

/** Tries until what is needed answers. What trying again cannot mend (a wrong password, no such database) is thrown at once. */
const untilThere = async <T>(
  { name, START_TIMEOUT_SECONDS }: Pick<Places, 'name' | 'START_TIMEOUT_SECONDS'>,
  what: string,
  attempt: () => Promise<T>,
  { clock = systemClock, random = systemRandom, say = (line) => void process.stderr.write(`${line}\n`) }: Waiting,
): Promise<T> => {
  const until = clock.now() + START_TIMEOUT_SECONDS * 1_000
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (!isTransient(error)) throw error
      const why = reason(error)
      if (tries === 1) say(`${name} waits for ${what}: ${why}`)
      if (clock.now() >= until) throw new Error(`${what} is not there after ${START_TIMEOUT_SECONDS} s: ${why}`, { cause: error })
      await clock.sleep(Math.round(Math.min(2_000, 100 * 2 ** Math.min(tries, 10)) * (0.5 + random.next() / 2)))
    }
  }
}

/** Node says nothing in the message of an error that stands for several addresses. */
const reason = (error: unknown): string => {
  const [first] = error instanceof AggregateError ? error.errors : [error]
  return first instanceof Error ? first.message.split('\n')[0] || first.name : String(first)
}

/** Without the user and the password. */
const database = (url: string): string => {
  const { host, pathname } = new URL(url)
  return `PostgreSQL at ${host}${pathname}`
}
