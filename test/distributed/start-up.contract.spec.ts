import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort } from '../support/kafka.mjs'
import { makeDatabases, type OwnDatabases } from './databases.js'
import { run } from './processes.js'

/** One that has a log and one that has none: what all share need not be shown of each. That each names what it misses: start.chaos.spec.ts. */
const APPS = ['wallet', 'provider-sandbox']
const TEST_MS = 150_000

const SECRET = 'hunter2hunter2hunter2hunter2hunter2hunter2'
const env = {
  PORT: '0',
  DATABASE_URL: `postgres://app:${SECRET}@127.0.0.1:1/app`,
  KEYS_DATABASE_URL: `postgres://app:${SECRET}@127.0.0.1:1/keys`,
  JWKS_URL: 'http://127.0.0.1:1/jwks',
  JWT_ISSUER: 'test',
  MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
  FRAUD_HASH_KEY: SECRET,
  REGION: 'in-test',
  PROVIDER_URL: 'http://127.0.0.1:1',
  PROVIDER_API_KEY: SECRET,
  PROVIDER_WEBHOOK_SECRET: SECRET,
  WEBHOOK_URL: 'http://127.0.0.1:1/webhooks',
  START_TIMEOUT_SECONDS: '1',
}

/** The apps with the same words. */
const runBoth = (words: readonly string[], given: Readonly<Record<string, string>>) =>
  Promise.all(APPS.map(async (app) => ({ app, ...(await run(app, words, given)) })))

const without = (name: string) => Object.fromEntries(Object.entries(env).filter(([each]) => each !== name))

describe('an app, started alone', () => {
  let databases: OwnDatabases
  beforeAll(async () => {
    databases = await makeDatabases(['wallet'])
  })
  afterAll(() => databases.drop())

  it(
    'names a variable that is missing in one line, and exits 1',
    async () => {
      for (const { code, output } of await runBoth([], without('DATABASE_URL')))
        expect([code, output]).toEqual([1, ['DATABASE_URL: must be set']])
      for (const { code, output } of await runBoth(['migrate'], {})) expect([code, output]).toEqual([1, ['DATABASE_URL: must be set']])
    },
    TEST_MS,
  )

  it(
    'names a variable that is wrong in one line without its value, and exits 1',
    async () => {
      for (const { app, code, output } of await runBoth([], { ...env, PORT: 'eighty' }))
        expect([app, code, output]).toEqual([app, 1, ['PORT: must be integer']])
      const noBrokers = await run('wallet', [], { ...env, DATABASE_URL: databases.urlOf('wallet'), LOG: 'kafka' })
      expect([noBrokers.code, noBrokers.output]).toEqual([1, ['wallet cannot start: KAFKA_BROKERS: must be set where LOG is kafka']])
    },
    TEST_MS,
  )

  it(
    'explains its environment, and tells none of it',
    async () => {
      for (const { app, code, output } of await runBoth(['--help'], env)) {
        const text = output.join('\n')
        expect([app, code, text]).toEqual([
          app,
          0,
          expect.stringMatching(/migrate[^]*Environment:[^]*DATABASE_URL +must be set[^]*DATABASE_SCHEMA +default [a-z_]+/),
        ])
        expect(text).not.toContain(SECRET)
        expect(text).not.toContain(env.MASTER_KEY)
      }
    },
    TEST_MS,
  )

  it(
    'waits a bounded time for a database that is not there, and says so without its password',
    async () => {
      for (const { app, code, output } of await runBoth([], env)) {
        expect([code, output]).toEqual([
          1,
          [
            expect.stringMatching(new RegExp(`^${app} waits for PostgreSQL at 127\\.0\\.0\\.1:1/app: connect ECONNREFUSED`)),
            expect.stringMatching(new RegExp(`^${app} cannot start: PostgreSQL at 127\\.0\\.0\\.1:1/app is not there after 1 s: `)),
          ],
        ])
      }
    },
    TEST_MS,
  )

  it(
    'refuses a database that is not migrated, is migrated once however many ask, and waits for a broker that is not there',
    async () => {
      const kafka = `127.0.0.1:${await freePort()}`
      const given = { ...env, DATABASE_URL: databases.urlOf('wallet'), LOG: 'kafka', KAFKA_BROKERS: kafka }
      const early = await run('wallet', [], given)
      expect([early.code, early.output]).toEqual([
        1,
        [
          expect.stringMatching(
            /^wallet cannot start: the database is not migrated \(\d+ migrations are to run\): npm run migrate -- --app wallet$/,
          ),
        ],
      ])
      const { DATABASE_URL, LOG } = given
      const both = await Promise.all([run('wallet', ['migrate'], { DATABASE_URL, LOG }), run('wallet', ['migrate'], { DATABASE_URL, LOG })])
      expect(both.map(({ code }) => code)).toEqual([0, 0])
      expect(both.map(({ output }) => output.join().replace(/ran: .*/, 'ran')).sort()).toEqual([
        expect.stringMatching(/^wallet: \d+ migrations ran$/),
        'wallet: nothing to migrate',
      ])
      const alone = await run('wallet', [], given)
      expect([alone.code, alone.output]).toEqual([
        1,
        [
          expect.stringMatching(new RegExp(`^wallet waits for Kafka at ${kafka}: `)),
          expect.stringMatching(new RegExp(`^wallet cannot start: Kafka at ${kafka} is not there after 1 s: `)),
        ],
      ])
    },
    TEST_MS,
  )
})
