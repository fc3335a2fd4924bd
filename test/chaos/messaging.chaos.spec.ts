import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { encodeMessage, kafkaLog, messagingMigrations, type LogDriver, type LogRecord } from '#messaging'
import { eventually } from '#messaging/testing'
import { migrate } from '#postgres'
import pg from 'pg'
import { placePostgres, type Placement } from '../../apps/bahi/postgres/placement.js'
import { removePostgres, startPostgres, type RunningPostgres } from '../../apps/bahi/postgres/server.js'
import { supervisePostgres } from '../../apps/bahi/postgres/supervise.js'
import { failWithout, kafkaMissing, skippedWithout, startKafka, type TestKafka } from '../support/kafka.mjs'
import { openLine, type Line } from './line.js'
import { auditEffects, type Acknowledged } from './messaging-audit.js'
import { killServer, newHome, removeHome, ROOT } from './running-process.js'
import { random } from './traffic.js'

const KILLS = Number(process.env['MESSAGING_KILLS'] ?? 50)
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const REPORT = process.env['MESSAGING_REPORT']
const TOPIC = 'chaos'
const PARTITIONS = 6
const CONSUMERS = 3
const KEYS = 40
const BATCH = 25
const BETWEEN_MS = { least: 100, most: 700 }
const PER_KILL_MS = 60_000
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
        'CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, seq int NOT NULL, by int NOT NULL)',
      )
      line = await openLine(() => kafka.listens)
      kafka = await startKafka({ advertised: line.port })
      driver = kafkaLog({ clientId: 'chaos-sender', brokers: kafka.brokers })
      await driver.ensureTopics([{ name: TOPIC, partitions: PARTITIONS, retention_ms: 86_400_000 }])
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

    const consume = (): ChildProcess => {
      const child = spawn(process.execPath, [join(ROOT, 'test/chaos/messaging-consumer.mjs')], {
        cwd: ROOT,
        env: { PATH: process.env['PATH'] ?? '', KAFKA: kafka.brokers.join(), DATABASE_URL: server.url, TOPIC, HANDLER_MS: '15' },
        stdio: ['ignore', 'inherit', 'pipe'],
      })
      child.stderr?.on('data', (data: Buffer) => void said.push(data.toString()))
      return child
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
        const acknowledged: Acknowledged[] = []
        let [sending, position, refused] = [true, 0n, 0]
        let givenUp: unknown
        const supervisor = supervisePostgres({
          url: server.url,
          ensure: () => startPostgres(placement, server.port),
          onRestarted: () => undefined,
          onGivenUp: (error) => (givenUp = error),
        })
        const record = (key: string, seq: number): LogRecord =>
          encodeMessage(
            { topic: TOPIC, key, type: 'Told', schemaVersion: 1, data: { seq }, context: { correlationId: key, causationId: 'chaos' } },
            'chaos',
            Date.now(),
            { incarnation: 'one', position: ++position, ordinal: 0 },
          )
        // As a relay does: the same again until it is acknowledged, and nothing overtakes it.
        const send = async (): Promise<void> => {
          const producer = await driver.producer()
          const last = new Map<string, number>()
          const keys = random(SEED + 1)
          while (sending) {
            const batch = Array.from({ length: BATCH }, () => {
              const key = `key-${Math.floor(keys() * KEYS)}`
              const seq = (last.get(key) ?? 0) + 1
              last.set(key, seq)
              return { key, seq, record: record(key, seq) }
            })
            const until = Date.now() + PER_KILL_MS
            for (;;) {
              try {
                await producer.send(batch.map((each) => each.record))
                break
              } catch (error) {
                refused++
                if (Date.now() > until) throw error
                await wait(50)
              }
            }
            acknowledged.push(...batch)
            await wait(5)
          }
        }
        const replace = (which: number, signal: NodeJS.Signals): void => {
          consumers[which]?.kill(signal)
          consumers[which] = consume()
        }
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
            replace(pick(CONSUMERS), 'SIGKILL')
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
            replace(pick(CONSUMERS), 'SIGTERM')
          }
        }

        const began = Date.now()
        while (consumers.length < CONSUMERS) consumers.push(consume())
        const sent = send()
        sent.catch(() => undefined)
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
          }
        } finally {
          sending = false
        }
        await sent
        await eventually('all took effect', async () => (await count()) >= acknowledged.length, 2 * PER_KILL_MS).catch(() => undefined)
        await supervisor.stop()
        const { rows } = await pool.query<Acknowledged & { by: number }>('SELECT key, seq, by FROM effect ORDER BY id')
        const findings = auditEffects(acknowledged, rows)
        const aside = await pool.query('SELECT key FROM deferred UNION ALL SELECT key FROM dead_letter')
        const report = {
          seed: SEED,
          kills: KILLS,
          ...counts,
          acknowledged: acknowledged.length,
          sendsRefused: refused,
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
  })
}
