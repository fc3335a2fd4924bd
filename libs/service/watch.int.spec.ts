import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, eventType, EventTypes, type EventStore, type RegisteredStreamType } from '#event-store'
import type { IncomingMessage } from '#kernel'
import { eventually } from '#kernel/testing'
import { messagingMigrations, noEffect, type Effect, type LogDriver } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { MemoryBroker, memoryLog } from '#messaging/testing'
import { testTokens } from '#platform/testing'
import { createTestDatabase, cuttable, type Cuttable, type TestDatabase } from '#postgres/testing'
import { Controller, Module } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import Type from 'typebox'
import { createService } from './create-service.js'
import { invariantMigrations } from './invariant-watch.js'

const noteType: RegisteredStreamType = {
  category: 'note',
  initialState: {},
  evolve: (state) => state,
  snapshotEvery: 0,
  events: new EventTypes([eventType('Written', Type.Object({}))]),
}

let goOn: () => void = () => undefined
let gate: Promise<void> = Promise.resolve()
let logIsAway = false
const read: string[] = []

@Controller()
class Reader {
  @BatchPattern('notes')
  async onNotes(messages: readonly IncomingMessage[]): Promise<Effect> {
    await gate
    read.push(...messages.map(({ key }) => key))
    return noEffect
  }
}

@Module({ controllers: [Reader] })
class NotesModule {}

let database: TestDatabase
let app: NestFastifyApplication
let store: EventStore
let driver: LogDriver
let line: Cuttable

beforeAll(async () => {
  database = await createTestDatabase([...eventStoreMigrations, ...messagingMigrations, ...invariantMigrations])
  line = await cuttable(database.url)
  const send = async (_: unknown, keep: () => void) => {
    if (logIsAway) throw new Error('the log is away')
    keep()
  }
  driver = memoryLog(new MemoryBroker(), { hooks: { send } })
  await driver.ensureTopics([{ name: 'notes', partitions: 1, retention_ms: 60_000 }])
  app = await createService(
    {
      name: 'notes',
      description: 'Notes, to look at what watches over them.',
      types: [noteType],
      invariants: [],
      config: {
        NODE_ENV: 'test',
        PORT: 0,
        DATABASE_URL: line.url,
        DATABASE_SCHEMA: database.schema,
        DATABASE_CONNECTIONS: 4,
        REGION: 'in-test',
        LOG: 'postgres',
        ...(await testTokens()).config,
        DEV_ISSUER: false,
        MASTER_KEY: 'A'.repeat(43),
        FRAUD_HASH_KEY: 'k'.repeat(32),
        RATE_LIMIT_PER_SECOND: 1_000,
        RATE_LIMIT_BURST: 1_000,
        LOG_LEVEL: 'silent',
      },
      publish: ({ stream, metadata: { correlationId, commandId } }) => [
        {
          topic: 'notes',
          key: stream,
          type: 'NoteWritten',
          schemaVersion: 1,
          data: {},
          context: { correlationId, causationId: commandId },
        },
      ],
      module: (context) => {
        store = context.store
        return { module: NotesModule }
      },
    },
    { driver },
  )
  await app.startAllMicroservices()
  await app.init()
})
afterAll(async () => {
  goOn()
  await app.close()
  await line.close()
  await database.drop()
})

const write = (id: string) =>
  store.execute({
    id,
    fingerprint: 'f',
    streams: [{ type: noteType, id }],
    metadata: { actor: 'tester', correlationId: 'c', causationId: 'x' },
    decide: () => ({ appends: [{ stream: { type: noteType, id }, events: [{ type: 'Written', data: {} }] }], answer: '' }),
  })

/** What a scrape shows of one series, by the labels that the rules of deploy/prometheus ask for; undefined where it is not there. */
const scraped = async (series: string): Promise<number | undefined> => {
  const { body } = await app.inject({ url: '/metrics' })
  const line = body.split('\n').find((each) => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length))
}
const above = async (series: string, least: number) => ((await scraped(series)) ?? 0) > least

describe('what alerts read', () => {
  it('is there from the start, at rest', async () => {
    for (const series of [
      'background_failures_total{app="notes"}',
      'relay_age_seconds{app="notes"}',
      'consumer_waiting_seconds{topic="notes",partition="0",app="notes"}',
      'consumer_log_gap{topic="notes",partition="0",app="notes"}',
      'consumer_parked_messages{topic="notes",partition="0",app="notes"}',
    ])
      await eventually(series, async () => (await scraped(series)) === 0)
  })

  it('grows while the log does not take what was written, with a failure for each try, and is over with it', async () => {
    logIsAway = true
    await write('one')
    await eventually('it is tried again', () => above('background_failures_total{app="notes"}', 1))
    await eventually('it is old', () => above('relay_age_seconds{app="notes"}', 0))
    logIsAway = false
    await eventually('it is read', () => read.includes('note-one'))
    await eventually('nothing is old', async () => (await scraped('relay_age_seconds{app="notes"}')) === 0)
  })

  it('grows while a message waits to be handled, and is over with it', async () => {
    gate = new Promise((resolve) => (goOn = resolve))
    await write('two')
    const waiting = 'consumer_waiting_seconds{topic="notes",partition="0",app="notes"}'
    await eventually('it waits', () => above(waiting, 0))
    expect(await scraped('consumer_lag_messages{topic="notes",partition="0",app="notes"}')).toBe(1)
    expect(read).not.toContain('note-two')
    goOn()
    await eventually('nothing waits', async () => (await scraped(waiting)) === 0)
    expect(read).toContain('note-two')
  })

  it('says how many messages are parked, from the first on', async () => {
    const producer = await driver.producer()
    await producer.send([{ topic: 'notes', key: 'no message', headers: {}, value: Buffer.from('{') }])
    await producer.close()
    const parked = 'consumer_parked_messages{topic="notes",partition="0",app="notes"}'
    await eventually('it is parked', async () => (await scraped(parked)) === 1)
  })

  it('is not there while the database is away, and all else is', async () => {
    line.cut()
    const looked = ['event_store_room_partitions{app="notes"}', 'consumer_parked_messages{topic="notes",partition="0",app="notes"}']
    expect(await Promise.all(looked.map(scraped))).toEqual([undefined, undefined])
    expect(await scraped('relay_age_seconds{app="notes"}')).toEqual(expect.any(Number))
    expect(await scraped('health_check{check="database",app="notes"}')).toBe(0)
    line.mend()
    for (const each of looked) await eventually(each, async () => (await scraped(each)) !== undefined)
  })
})
