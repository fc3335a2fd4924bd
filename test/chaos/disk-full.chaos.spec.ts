import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, it } from '@jest/globals'
import { asMemory, eventually, memoryTransactions } from '#kernel/testing'
import type { Transaction } from '#kernel'
import { Consumer, kafkaLog, logMigrations, messagingMigrations, pgConsumerStore, postgresLog, type LogDriver } from '#messaging'
import { MemoryConsumerStore } from '#messaging/testing'
import { asPg, createPool, migrate, pgTransactions } from '#postgres'
import { placePostgres } from '../../apps/bahi/postgres/placement.js'
import { removePostgres, startPostgres } from '../../apps/bahi/postgres/server.js'
import { supervisePostgres } from '../../apps/bahi/postgres/supervise.js'
import { mountSmallDisk, type SmallDisk } from '../faults/small-disk.js'
import { failWithout, kafkaMissing, startKafka } from '../support/kafka.mjs'
import { auditEffects, type Acknowledged } from './messaging-audit.js'
import { beginLoad } from './messaging-load.js'
import { random } from './traffic.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const TOPIC = 'filling'
const GROUP = 'readers'
/** Some 1,000 messages a second, so that they do not take the disk by themselves. */
const PAUSE_MS = 20
/** That take effect before the disk is filled, again. */
const ENOUGH = 200
const GOES_ON_MS = 60_000
/** At most, after the first send that was refused. */
const FULL_FOR_MS = 1_000
const MOST_MS = 240_000

/** A log on a disk that is filled, and consumers of it. */
interface Filling {
  readonly driver: LogDriver
  readonly consumer: Consumer
  /** How often it is filled. */
  readonly rounds: number
  /** In the order in which they took effect; rejects while their store is away. */
  effects(): Promise<readonly Acknowledged[]>
  /** There is room again: what ended for want of it is started. */
  mend(): Promise<void>
}

/** Fills the disk while messages flow, makes room once sends were refused for a while, and compares what was acknowledged with what took effect. */
const fillUnderLoad = async ({ driver, consumer, rounds, effects, mend }: Filling, disk: SmallDisk): Promise<void> => {
  const dice = random(SEED)
  const count = async (): Promise<number> => (await effects().catch(() => [])).length
  const goesOn = async (after: string): Promise<void> => {
    const before = await count()
    await eventually(`messages take effect after ${after}`, async () => (await count()) >= before + ENOUGH, GOES_ON_MS)
  }
  await driver.ensureTopics([{ name: TOPIC, partitions: 4, retention_ms: 86_400_000 }])
  await consumer.start()
  const load = beginLoad(driver, TOPIC, random(SEED + 1), PAUSE_MS)
  try {
    await goesOn('the start')
    for (let round = 1; round <= rounds; round++) {
      const before = load.refused
      disk.fill()
      await eventually('sends are refused', () => load.refused > before, GOES_ON_MS)
      await wait(dice() * FULL_FOR_MS)
      disk.makeRoom()
      await mend()
      await goesOn(`there is room again, ${round}`)
    }
  } catch (error) {
    disk.makeRoom()
    await load.end().catch(() => undefined)
    throw error
  }
  await load.end()
  const { acknowledged, refused } = load
  await eventually('all took effect', async () => (await count()) >= acknowledged.length, GOES_ON_MS).catch(() => undefined)
  console.log(`${driver.name}: ${acknowledged.length} messages acknowledged, ${refused} sends refused`)
  expect(auditEffects(acknowledged, await effects())).toEqual({ lost: 0, doubled: 0, outOfOrder: 0, invented: 0 })
}

const disk = mountSmallDisk(320)
const onSmallDisk = disk === undefined ? describe.skip : describe
const missing = kafkaMissing()

onSmallDisk(
  `a log on a disk that fills up under load loses nothing, has no effect twice and keeps the order of every key (CHAOS_SEED=${SEED})`,
  () => {
    afterAll(() => disk?.unmount())

    it('in PostgreSQL, with the consumers’ tables beside it', () => disk && inPostgres(disk), MOST_MS)

    const withJava = missing !== undefined && process.env['CI'] !== 'true' ? it.skip : it
    withJava('in Kafka, whose broker ends for want of room', () => disk && inKafka(disk), MOST_MS)
  },
)

async function inPostgres(disk: SmallDisk): Promise<void> {
  const placement = await placePostgres(disk.folder)
  const server = await startPostgres(placement)
  const { url } = server
  let givenUp: unknown
  const supervisor = supervisePostgres({
    url,
    ensure: () => startPostgres(placement, server.port),
    onRestarted: () => undefined,
    onGivenUp: (error) => (givenUp = error),
  })
  await migrate({ url, schema: 'log', migrations: logMigrations })
  await migrate({ url, schema: 'app', migrations: messagingMigrations })
  const pool = createPool({ url, schema: 'app', applicationName: 'filling', maxConnections: 6 })
  await pool.query('CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, seq int NOT NULL)')
  const driver = postgresLog({ url, shared: false })
  const consumer = new Consumer(
    { driver, group: GROUP, transactions: pgTransactions(pool), consumerStore: pgConsumerStore(pool), maxBatch: 64 },
    new Map([
      [
        TOPIC,
        (messages) =>
          Promise.resolve(async (tx: Transaction) => {
            await asPg(tx).query(
              'INSERT INTO effect (key, seq) SELECT key, seq FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS e (key, seq, n) ORDER BY n',
              [messages.map(({ key }) => key), messages.map(({ data }) => data['seq'])],
            )
          }),
      ],
    ]),
  )
  try {
    const effects = async () => (await pool.query<Acknowledged>('SELECT key, seq FROM effect ORDER BY id')).rows
    await fillUnderLoad({ driver, consumer, rounds: 3, effects, mend: () => Promise.resolve() }, disk)
    const aside = await pool.query('SELECT key FROM deferred UNION ALL SELECT key FROM dead_letter')
    expect({ aside: aside.rows, givenUp }).toEqual({ aside: [], givenUp: undefined })
  } finally {
    await consumer.close(5_000)
    await driver.close()
    await pool.end()
    await supervisor.stop()
    await removePostgres(placement)
  }
}

async function inKafka(disk: SmallDisk): Promise<void> {
  failWithout(missing)
  const kafka = await startKafka({ data: join(disk.folder, 'data') })
  const driver = await kafkaLog({
    clientId: 'filling',
    brokers: kafka.brokers,
    sessionTimeout_ms: 3_000,
    heartbeatInterval_ms: 500,
    rebalanceTimeout_ms: 5_000,
  })
  const told: Acknowledged[] = []
  const consumer = new Consumer(
    { driver, group: GROUP, transactions: memoryTransactions(), consumerStore: new MemoryConsumerStore(), maxBatch: 64 },
    new Map([
      [
        TOPIC,
        (messages) =>
          Promise.resolve((tx: Transaction) => {
            asMemory(tx).onCommit(() => void told.push(...messages.map(({ key, data }) => ({ key, seq: Number(data['seq']) }))))
            return Promise.resolve()
          }),
      ],
    ]),
  )
  try {
    await fillUnderLoad({ driver, consumer, rounds: 1, effects: () => Promise.resolve(told), mend: () => kafka.crash() }, disk)
  } finally {
    await consumer.close(5_000)
    await driver.close()
    await kafka.stop()
  }
}
