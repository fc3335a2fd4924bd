import type { Clock } from '#kernel'
import { openLog } from '../log.js'
import { masterKeys } from '../subject-keys.js'
import { clockAgrees, connection, durable, hold, keysOpen, migrated, openPool, relayed } from './database.js'
import { failed, patiently, reasonOf, type Finding, type Told } from './finding.js'
import { logFindings } from './log.js'
import type { Environment, Patient, PatientConfig } from './patient.js'
import { redisAnswers } from './redis.js'

const LEAST_NODE = 24

/** Looks at an app that has this process's Node to itself, and at that too. */
export const examineAlone = async function* (app: string, patient: Patient, env: Environment, clock: Clock): AsyncGenerator<Finding> {
  yield nodeVersion(app)
  yield* examine(app, patient, env, clock)
}

/** Looks at one app by the environment that it is given, from its configuration inwards. It writes nothing but what the trial balance keeps. */
export const examine = async function* (app: string, patient: Patient, env: Environment, clock: Clock): AsyncGenerator<Finding> {
  for await (const told of findings(app, patient, env, clock)) yield { app, ...told }
}

export const nodeVersion = (app: string): Finding => {
  const version = process.versions.node
  return Number.parseInt(version, 10) >= LEAST_NODE
    ? { app, check: 'versions', status: 'ok', found: `Node ${version}` }
    : { app, check: 'versions', status: 'failed', found: `Node ${version}`, next: `use Node ${LEAST_NODE} or newer` }
}

const findings = async function* (app: string, patient: Patient, env: Environment, clock: Clock): AsyncGenerator<Told> {
  let config: PatientConfig
  try {
    config = patient.read(env)
    if (config.LOG === 'kafka') await (await openLog(app, config)).close()
  } catch (error) {
    yield failed('configuration', reasonOf(error), 'set this variable; docs/operations.md has a table of all')
    return
  }
  yield { check: 'configuration', status: 'ok', found: `region ${config.REGION}, ${config.NODE_ENV}, log ${config.LOG}` }
  yield* databaseFindings(app, patient, config, clock)
  if (config.KEYS_DATABASE_URL !== undefined) yield keysOpen(config.KEYS_DATABASE_URL, masterKeys(config))
  const driver = await openLog(app, config)
  try {
    yield* await logFindings(app, driver, config, clock)
  } finally {
    await driver.close().catch(() => undefined)
  }
  if (config.REDIS_URL !== undefined) yield redisAnswers(config.REDIS_URL)
}

const databaseFindings = async function* (app: string, patient: Patient, config: PatientConfig, clock: Clock): AsyncGenerator<Told> {
  const pool = openPool(config.DATABASE_URL, config.DATABASE_SCHEMA)
  try {
    const connected = await connection(pool, config.DATABASE_URL, 'DATABASE_URL')
    yield connected
    if (connected.status === 'failed') return
    yield told('durability', () => durable(pool, config))
    yield told('clock', () => clockAgrees(pool, clock))
    const migrations = await told('migrations', () => migrated(app, patient, config))
    yield migrations
    // Of another shape, tables say nothing.
    if (migrations.status !== 'ok') return
    if (patient.publishes) yield told('relay', () => relayed(pool))
    yield* await hold(pool, patient)
  } finally {
    await pool.end()
  }
}

/** A check that breaks is a finding as well. */
const told = async (check: Told['check'], look: () => Promise<Told>): Promise<Told> => {
  try {
    return await patiently(look())
  } catch (error) {
    return failed(check, reasonOf(error), 'the database answered before: ask again, and read its log')
  }
}
