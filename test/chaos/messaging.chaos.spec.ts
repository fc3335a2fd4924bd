import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { kafkaLog, messagingMigrations, type LogDriver } from '#messaging'
import { eventually } from '#kernel/testing'
import { migrate } from '#postgres'
import pg from 'pg'
import { placePostgres, type Placement } from '../../apps/bahi/postgres/placement.js'
import { removePostgres, startPostgres, type RunningPostgres } from '../../apps/bahi/postgres/server.js'
import { supervisePostgres } from '../../apps/bahi/postgres/supervise.js'
import { failWithout, kafkaMissing, skippedWithout, startKafka, type TestKafka } from '../support/kafka.mjs'
import { openLine, type Line } from './line.js'
import { auditEffects, type Acknowledged } from './messaging-audit.js'
import { beginLoad } from './messaging-load.js'
import { killServer, newHome, removeHome, ROOT } from './running-process.js'
import { random } from './traffic.js'

const KILLS = Number(process.env['MESSAGING_KILLS'] ?? 50)
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const REPORT = process.env['MESSAGING_REPORT']
/** By the default one unless it is said. */
const CLIENT = (['kafkajs', 'platformatic'] as const).find((name) => name === process.env['KAFKA_CLIENT'])
const TOPIC = 'chaos'
const ROLLED = 'rolled'
const PARTITIONS = 6
const SESSION_MS = 2_000
/** Longer than a test: who has to be waited for so long did not say that it leaves. */
const LONG_SESSION_MS = 120_000
/** How long a partition may stand while its consumers are restarted; after one was killed, its session's time-out comes on top. */
const MOST_GAP_MS = 3_000
/** A machine that stalls once is not a log that stands: a round within the bound is enough. */
const ROUNDS = 3
const CONSUMERS = 3
/** By then it is seen how long a partition stands by itself. */
const CALM_EFFECTS = 5_000
const BETWEEN_MS = { least: 100, most: 700 }
const PROGRESS_EVERY = 10
const PER_KILL_MS = 120_000
const BESIDES_MS = 240_000

const missing = kafkaMissing()

if (!skippedWithout({ describe, it }, 'consumers, a broker and PostgreSQL killed under load', missing)) {
  describe(`consumers, a broker and PostgreSQL killed under load (CHAOS_SEED=${SEED}, MESSAGING_KILLS=${KILLS})`, () => {
    let home: string
    let placement: Placement
    let server: RunningPostgres
    let kafka: TestKafka
    let line: Line
    let driver: LogDriver
    let pool: pg.Pool
    const consumers: ChildProcess[] = []
    const said: string[] = []

    beforeAll(async () => {
      failWithout(missing)
      home = newHome()
      placement = await placePostgres(home)
      server = await startPostgres(placement)
      await migrate({ url: server.url, schema: 'app', migrations: messagingMigrations })
      pool = new pg.Pool({ connectionString: server.url, max: 2, options: '-c search_path=app' })
      pool.on('error', () => undefined)
      await pool.query(
        'CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, seq int NOT NULL, partition int NOT NULL, by int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())',
      )
      line = await openLine(() => kafka.listens)
      kafka = await startKafka({ advertised: line.port })
      driver = await kafkaLog({ clientId: 'chaos-sender', brokers: kafka.brokers, ...(CLIENT && { client: CLIENT }) })
      await driver.ensureTopics([TOPIC, ROLLED].map((topic) => ({ name: topic, partitions: PARTITIONS, retention_ms: 86_400_000 })))
    }, BESIDES_MS)

    afterAll(async () => {
      for (const consumer of consumers) consumer.kill('SIGKILL')
      await driver?.close()
      await pool?.end()
      await line?.close()
      await kafka?.stop()
      await removePostgres(placement)
      removeHome(home)
    }, BESIDES_MS)

    const consume = (topic: string, session_ms = SESSION_MS): ChildProcess => {
      const child = spawn(process.execPath, [join(ROOT, 'test/chaos/messaging-consumer.mjs')], {
        cwd: ROOT,
        env: {
          PATH: process.env['PATH'] ?? '',
          KAFKA: kafka.brokers.join(),
          ...(CLIENT && { KAFKA_CLIENT: CLIENT }),
          DATABASE_URL: server.url,
          TOPIC: topic,
          HANDLER_MS: '15',
          SESSION_MS: String(session_ms),
        },
        stdio: ['ignore', 'inherit', 'pipe'],
      })
      child.stderr?.on('data', (data: Buffer) => void said.push(data.toString()))
      return child
    }
    const replace = (which: number, signal: NodeJS.Signals, topic: string, session_ms = SESSION_MS): ChildProcess => {
      consumers[which]?.kill(signal)
      return (consumers[which] = consume(topic, session_ms))
    }

    /** Grows with every effect; 0 while PostgreSQL is away. */
    const newest = async (): Promise<number> => {
      const { rows } = await pool.query<{ id: string }>('SELECT coalesce(max(id), 0) AS id FROM effect').catch(() => ({ rows: [] }))
      return Number(rows[0]?.id ?? 0)
    }
    const count = async (): Promise<number> => {
      const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM effect').catch(() => ({ rows: [] }))
      return Number(rows[0]?.count ?? 0)
    }

    it(
      'loses nothing acknowledged, has no effect twice, and keeps the order of every key',
      async () => {
        const dice = random(SEED)
        const pick = (count: number): number => Math.floor(dice() * count)
        const counts = { consumer: 0, broker: 0, postgres: 0, cut: 0, stalled: 0, left: 0 }
        let givenUp: unknown
        const supervisor = supervisePostgres({
          url: server.url,
          ensure: () => startPostgres(placement, server.port),
          onRestarted: () => undefined,
          onGivenUp: (error) => (givenUp = error),
        })
        // Of ten kills one is of the broker and two are of PostgreSQL, however few there are.
        const kill = async (n: number): Promise<void> => {
          if (n % 10 === 7) {
            counts.broker++
            await kafka.crash()
          } else if (n % 5 === 3) {
            counts.postgres++
            killServer(join(placement.folder, 'data'))
          } else {
            counts.consumer++
            replace(pick(CONSUMERS), 'SIGKILL', TOPIC)
          }
        }
        const disturb = (): void => {
          const what = dice()
          if (what < 0.15) {
            counts.cut++
            line.cut()
          } else if (what < 0.3) {
            counts.stalled++
            line.stall(100 + dice() * 900)
          } else if (what < 0.4) {
            // It leaves in mid-batch, and the partitions are shared anew.
            counts.left++
            replace(pick(CONSUMERS), 'SIGTERM', TOPIC)
          }
        }

        const began = Date.now()
        while (consumers.length < CONSUMERS) consumers.push(consume(TOPIC))
        const load = beginLoad(driver, TOPIC, random(SEED + 1))
        let [most_ms, reached] = [0, 0]
        try {
          await eventually('it runs', async () => (await newest()) > 0, PER_KILL_MS)
          for (let n = 0; n < KILLS; n++) {
            await wait(BETWEEN_MS.least + dice() * (BETWEEN_MS.most - BETWEEN_MS.least))
            disturb()
            const at = Date.now()
            await kill(n)
            const before = Math.max(reached, await newest())
            await eventually(`it goes on after kill ${n + 1}`, async () => (reached = await newest()) > before, PER_KILL_MS)
            most_ms = Math.max(most_ms, Date.now() - at)
            if (givenUp !== undefined) throw new Error('PostgreSQL was not started again', { cause: givenUp })
            if ((n + 1) % PROGRESS_EVERY === 0 && n + 1 < KILLS) {
              const seconds = Math.round((Date.now() - began) / 1_000)
              process.stderr.write(`${n + 1} of ${KILLS} kills after ${seconds} s, ${load.acknowledged.length} messages acknowledged\n`)
            }
          }
        } finally {
          await load.end()
        }
        const { acknowledged } = load
        await eventually('all took effect', async () => (await count()) >= acknowledged.length, 2 * PER_KILL_MS).catch(() => undefined)
        await supervisor.stop()
        const { rows } = await pool.query<Acknowledged & { by: number }>('SELECT key, seq, by FROM effect ORDER BY id')
        const findings = auditEffects(acknowledged, rows)
        const aside = await pool.query('SELECT key FROM deferred UNION ALL SELECT key FROM dead_letter')
        const report = {
          seed: SEED,
          client: CLIENT ?? 'default',
          kills: KILLS,
          ...counts,
          acknowledged: acknowledged.length,
          sendsRefused: load.refused,
          processes: new Set(rows.map(({ by }) => by)).size,
          slowestToGoOn_ms: most_ms,
          seconds: Math.round((Date.now() - began) / 1_000),
          ...findings,
        }
        console.log(JSON.stringify(report))
        if (REPORT) writeFileSync(REPORT, `${JSON.stringify(report, undefined, 2)}\n`)
        expect({ findings, said }).toEqual({ findings: { lost: 0, doubled: 0, outOfOrder: 0, invented: 0 }, said: [] })
        expect(aside.rows).toEqual([])
        expect(report.processes).toBeGreaterThan(CONSUMERS)
      },
      KILLS * PER_KILL_MS + BESIDES_MS,
    )

    it(
      'goes on while every consumer is restarted in turn, and when one is killed: no partition stands for long, nothing takes effect twice',
      async () => {
        for (const consumer of consumers.splice(0)) consumer.kill('SIGKILL')
        await pool.query('TRUNCATE effect')
        const load = beginLoad(driver, ROLLED, random(SEED + 2))
        while (consumers.length < CONSUMERS) consumers.push(consume(ROLLED, LONG_SESSION_MS))
        const handles = ({ pid }: ChildProcess) =>
          eventually(
            'the new one handles',
            async () => (await pool.query('SELECT 1 FROM effect WHERE by = $1 LIMIT 1', [pid])).rows.length > 0,
            PER_KILL_MS,
          )
        await Promise.all(consumers.map(handles))
        /** Else one that still stands would be in no gap. */
        const allGoOn = async () => {
          const since = await now()
          const handled = 'SELECT count(DISTINCT partition)::int AS partitions FROM effect WHERE at > $1'
          await eventually(
            'every partition goes on',
            async () => (await pool.query<{ partitions: number }>(handled, [since])).rows[0]?.partitions === PARTITIONS,
            PER_KILL_MS,
          )
        }
        const roll = async () => {
          const [calm, lateness] = [await now(), monitorEventLoopDelay()]
          const before = await count()
          await eventually('it is calm', async () => (await count()) >= before + CALM_EFFECTS, PER_KILL_MS)
          const began = await now()
          lateness.enable()
          // The first of the new ones is the one that is killed.
          for (let which = 0; which < CONSUMERS; which++)
            await handles(replace(which, 'SIGTERM', ROLLED, which === 0 ? SESSION_MS : LONG_SESSION_MS))
          await allGoOn()
          const [rolled, late_ms] = [await now(), lateness.max / 1e6]
          lateness.reset()
          await handles(replace(0, 'SIGKILL', ROLLED, LONG_SESSION_MS))
          await allGoOn()
          const [killed, lateAfter_ms] = [await now(), lateness.max / 1e6]
          lateness.disable()
          const gaps = {
            calm: await longestGap_ms(calm, began, true),
            restarted: await longestGap_ms(began, rolled),
            killed: await longestGap_ms(rolled, killed),
          }
          // As long as the machine itself lets a partition stand while nothing is restarted, and as it let this process wait meanwhile, comes on top.
          const most = {
            restarted: MOST_GAP_MS + gaps.calm + Math.round(late_ms),
            killed: SESSION_MS + MOST_GAP_MS + gaps.calm + Math.round(lateAfter_ms),
          }
          const holds = gaps.calm < MOST_GAP_MS && gaps.restarted <= most.restarted && gaps.killed <= most.killed
          return { gaps, most, holds }
        }
        const rounds = [await roll()]
        while (!rounds.at(-1)?.holds && rounds.length < ROUNDS) rounds.push(await roll())
        await load.end()
        await eventually('all took effect', async () => (await count()) >= load.acknowledged.length, PER_KILL_MS)
        const { rows } = await pool.query<Acknowledged>('SELECT key, seq FROM effect ORDER BY id')
        console.log(`longest time without an effect in a partition: ${JSON.stringify(rounds)} ms; ${rows.length} effects`)
        expect(auditEffects(load.acknowledged, rows)).toEqual({ lost: 0, doubled: 0, outOfOrder: 0, invented: 0 })
        expect(rounds.at(-1)).toMatchObject({ holds: true })
        expect(said).toEqual([])
      },
      ROUNDS * BESIDES_MS,
    )

    const now = async (): Promise<Date> => {
      const { rows } = await pool.query<{ now: Date }>('SELECT clock_timestamp() AS now')
      return rows[0]?.now ?? new Date(0)
    }
    /** In any partition, between two of its effects of which the later is within these; with `whole`, both. */
    const longestGap_ms = async (from: Date, to: Date, whole = false): Promise<number> => {
      const { rows } = await pool.query<{ gap: number }>(
        `SELECT max(extract(epoch FROM at - since) * 1000)::float8 AS gap FROM (
           SELECT at, lag(at) OVER (PARTITION BY partition ORDER BY id) AS since FROM effect
         ) effects WHERE at BETWEEN $1 AND $2 AND (since >= $1 OR NOT $3)`,
        [from, to, whole],
      )
      return Math.round(rows[0]?.gap ?? Infinity)
    }
  })
}
