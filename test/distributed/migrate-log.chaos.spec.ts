import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { audit, openSagas } from '../chaos/audit.js'
import { random, Shop, Traffic } from '../chaos/traffic.js'
import { failWithout, kafkaMissing, skippedWithout } from '../support/kafka.mjs'
import { redisMissing } from '../support/redis.mjs'
import type { LogName } from '../../apps/bahi/cli/migrate-log/system.js'
import type { AppName } from '../../apps/front/routing-table.js'
import { APPS, startPlatform, type Platform } from './platform.js'
import { launch, run, watch, type Ended } from './processes.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
/** So few that what is shown is the move, and not what two cores carry. */
const PER_SECOND = 2
/** Orders that come while nothing goes from app to app, and before and after. */
const ORDERS = 8
const START_MS = 400_000
const WAIT_MS = 120_000

const missing = kafkaMissing() ?? redisMissing()

if (!skippedWithout({ describe, it }, 'whole orders, and the log under them moved', missing))
  describe(`whole orders, and the log under them moved (CHAOS_SEED=${SEED})`, () => {
    let platform: Platform
    beforeAll(async () => {
      failWithout(missing)
      platform = await startPlatform('postgres')
    }, START_MS)
    afterAll(async () => {
      await platform?.stop()
    }, WAIT_MS)

    const command = async (to: LogName, until = /^$/): Promise<Ended> => {
      const urls = APPS.map((app) => [`${app.toUpperCase().replaceAll('-', '_')}_DATABASE_URL`, platform.databases.urlOf(app)])
      const child = launch('bahi/cli', ['migrate-log', '--to', to, '--json'], {
        ...(Object.fromEntries(urls) as Record<string, string>),
        LOG_DATABASE_URL: platform.databases.urlOf('log'),
        KAFKA_BROKERS: platform.brokers.join(),
      })
      const { output, ended } = watch(child)
      child.stdout?.on('data', () => setImmediate(() => output.some((line) => until.test(line)) && child.kill('SIGKILL')))
      return ended
    }
    const ready = async (url: string, of = '') => {
      const answer = await fetch(`${url}/health/ready${of}`, { signal: AbortSignal.timeout(5_000) })
      return { status: answer.status, text: await answer.text() }
    }
    /** What `bahi doctor` finds wrong on the new log; the databases of tests lose what they said in a crash of the machine, and it says so. */
    const failedBy = async (app: AppName) => {
      const environment = { ...platform.environmentOf(app), LOG: 'kafka', PROVIDER_URL: platform.sandboxUrl }
      const { output } = await run('bahi/cli', ['doctor', '--app', app, '--json'], environment)
      const { findings } = JSON.parse(output.join('\n')) as { findings: readonly { status: string; check: string }[] }
      expect(findings.length).toBeGreaterThan(0)
      return findings.filter(({ status, check }) => status === 'failed' && check !== 'durability')
    }
    const more = (traffic: Traffic, when: string) => {
      const before = traffic.placed.length
      return eventually(`${ORDERS} more orders ${when}`, () => Promise.resolve(traffic.placed.length >= before + ORDERS), WAIT_MS)
    }
    /** As docs/messaging.md says it is done, but that the command is killed once while everything is held, and orders go on coming. */
    const move = async (traffic: Traffic, to: LogName) => {
      const before = APPS.flatMap((app) => platform.replicas(app))
      const after = await Promise.all(APPS.map(async (app) => [app, await platform.waiting(app, to)] as const))
      for (const [app, { url }] of after)
        await eventually(`${app} waits for the move`, async () => (await ready(url)).text.includes('"consumer":"failing"'))
      // A rollout goes by this: it must not end those that the move needs.
      for (const [, { url }] of after) expect((await ready(url, '?of=requests')).status).toBe(503)
      expect((await command(to, /"step":"publish","left":0/)).signal).toBe('SIGKILL')
      await more(traffic, 'while what the stores publish is held')
      const { code, output } = await command(to)
      expect([code, output.findLast((line) => line.startsWith('{'))]).toEqual([0, expect.stringContaining('"step":"done"')])
      for (const [app, replica] of after) {
        await eventually(`${app} is ready`, async () => (await ready(replica.url)).status === 200, WAIT_MS)
        platform.takeOn(app, replica)
      }
      for (const replica of before) platform.withdraw(replica)
      const ends = await Promise.all(before.map((replica) => replica.stop()))
      expect(ends.map(({ code: ended }) => ended)).toEqual(before.map(() => 0))
    }

    it('from PostgreSQL to Kafka: every order ends, nothing happens twice, and the books add up', async () => {
      const shop = new Shop(platform.baseUrl)
      const traffic = new Traffic(shop, random(SEED), `moved-${SEED}`)
      await traffic.open(3, 3, 1_000)
      traffic.pace(PER_SECOND)
      await more(traffic, 'before')
      await move(traffic, 'kafka')
      await more(traffic, 'in Kafka')
      await traffic.stop()
      const admin = await shop.token('admin', 'admin')
      const auditor = await shop.token('auditor', 'auditor')
      expect([...(await audit(traffic)), ...(await openSagas(shop))]).toEqual([])
      expect(await shop.get('/v1/ops/dead-letters', admin)).toMatchObject({ items: [] })
      expect(await shop.get('/v1/wallets/trial-balance', auditor)).toMatchObject({ total: { amount: '0' } })
      expect(shop.disconnected).toBe(0)
      for (const app of APPS) expect([app, await failedBy(app)]).toEqual([app, []])
      console.log(
        `${traffic.placed.length} orders, ${shop.acknowledged.length} acknowledged calls, ${shop.unavailable} answers of 503 sent again`,
      )
    }, 600_000)
  })
