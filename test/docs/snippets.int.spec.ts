import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { CommandAnswered } from '#contracts'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import type { EventStore } from '#event-store'
import { decodeMessage, encodeMessage, logMigrations, messagingMigrations, postgresLog } from '#messaging'
import { eventually } from '#kernel/testing'
import { createPool, migrate } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { onCard, openCards } from './snippets/event-store.js'
import { CardsModule } from './snippets/event-store-nest.js'
import { Bookings, bookingMigrations, openBookings } from './snippets/saga-nest.js'
import { consumeCards, openCardsLog, publishCards, SpendingModule } from './snippets/messaging.js'

let database: TestDatabase
let store: EventStore

beforeAll(async () => {
  database = await createTestDatabase(messagingMigrations)
  await migrate({ url: database.url, schema: 'log', migrations: logMigrations })
  store = await openCards(database)
})

afterAll(async () => {
  await store.close()
  await database.drop()
})

it('points are earned and spent once, and the consumer hears of it once', async () => {
  const answers = []
  for (const [id, command] of [
    ['1', { type: 'earn', points: 10 }],
    ['2', { type: 'spend', points: 4 }],
    ['2', { type: 'spend', points: 4 }],
    ['3', { type: 'spend', points: 7 }],
  ] as const)
    answers.push(await store.execute(onCard(id, 'a', command)))
  expect(answers).toEqual([
    { answer: '{"done":true}', replayed: false },
    { answer: '{"done":true}', replayed: false },
    { answer: '{"done":true}', replayed: true },
    { answer: '{"refused":"insufficient-points"}', replayed: false },
  ])
  expect(await store.verify('card-a')).toMatchObject({ ok: true, version: 2 })

  const pool = createPool(database)
  await pool.query('CREATE TABLE spending (card text PRIMARY KEY, points bigint NOT NULL)')
  const driver = await openCardsLog(database.url)
  const relay = await publishCards(store, driver)
  const app = (await Test.createTestingModule({ imports: [SpendingModule] }).compile()).createNestApplication(new FastifyAdapter(), {
    logger: false,
  })
  consumeCards(app, driver, database)
  await app.startAllMicroservices()
  const spent = async () => (await pool.query<{ points: bigint }>(`SELECT points FROM spending WHERE card = 'card-a'`)).rows[0]?.points
  await eventually('what was spent', async () => (await spent()) === 4n)

  await store.execute(onCard('4', 'a', { type: 'spend', points: 1 }))
  await eventually('what was spent later', async () => (await spent()) === 5n)
  await app.close()
  await relay.stop()
  await driver.close()
  await pool.end()
})

it('a decider stands behind a controller of a Nest app, from a database with nothing in it', async () => {
  const empty = await createTestDatabase([], 'cards')
  const testing = await Test.createTestingModule({ imports: [CardsModule.on({ ...empty, applicationName: 'cards' })] }).compile()
  const app = testing.createNestApplication(new FastifyAdapter(), { logger: false })
  await app.init()
  const post = async (what: string, points: unknown, key?: string) => {
    const headers = key === undefined ? {} : { 'idempotency-key': key }
    const url = `/cards/a/${what}`
    const { statusCode, body } = await (app as NestFastifyApplication).inject({ method: 'POST', url, headers, payload: { points } })
    return [statusCode, (JSON.parse(body) as { message?: string }).message]
  }
  expect(await post('earn', 10)).toEqual([400, 'this call needs an Idempotency-Key'])
  expect(await post('earn', 'ten', 'k-0')).toEqual([400, expect.stringContaining('numeric')])
  expect(await post('earn', 10, 'k-1')).toEqual([200, undefined])
  expect(await Promise.all([1, 2, 3].map(() => post('spend', 4, 'k-2')))).toEqual([1, 2, 3].map(() => [200, undefined]))
  expect(await post('spend', 7, 'k-3')).toEqual([422, 'insufficient-points'])
  await post('earn', 5, 'k-4')
  expect(await post('spend', 7, 'k-3')).toEqual([422, 'insufficient-points'])
  const shown = await (app as NestFastifyApplication).inject('/cards/a')
  expect(shown.json()).toEqual({ cardId: 'a', version: 3, points: 11 })
  await app.close()
  await empty.drop()
})

it('a booking goes through its steps in a Nest app, and is undone where the hotel says no', async () => {
  const booked = await createTestDatabase(bookingMigrations, 'booking')
  await migrate({ url: booked.url, schema: 'log', migrations: logMigrations })
  const driver = postgresLog({ url: booked.url })
  await driver.ensureTopics(['hotel.commands', 'replies'].map((name) => ({ name, partitions: 6, retention_ms: 86_400_000 })))
  const { module, strategy, sagas, close } = await openBookings(booked, driver)
  // The hotel: it confirms no room but 101, and answers each command once.
  const asked: string[] = []
  const producer = await driver.producer()
  let position = 0n
  const hotel = await driver.consume({
    group: 'hotel',
    topics: ['hotel.commands'],
    maxBatch: 50,
    startOffset: () => Promise.resolve(0n),
    async onBatch(_, records) {
      for (const command of records.map((record) => decodeMessage(record))) {
        asked.push(`${command.type} ${String(command.data['room'])}`)
        const refused = command.type === 'ConfirmRoom' && command.data['room'] !== '101'
        const replyTo = String(command.data['replyTo'])
        const answer = CommandAnswered.message(
          replyTo,
          {
            replyTo,
            commandId: command.id,
            command: command.type,
            ...(refused ? { outcome: 'refused', slug: 'no-room', detail: 'no' } : { outcome: 'accepted' }),
          },
          { ...command.context, causationId: command.id },
        )
        await producer.send([encodeMessage(answer, 'hotel', Date.now(), { incarnation: 'hotel', position: ++position, ordinal: 0 })])
      }
    },
  })
  const testing = await Test.createTestingModule({ imports: [module] }).compile()
  const app = testing.createNestApplication(new FastifyAdapter(), { logger: false })
  app.connectMicroservice({ strategy }, { inheritAppConfig: false })
  await app.startAllMicroservices()
  await app.init()
  const bookings = app.get(Bookings)
  const [yes, again, no] = [
    await bookings.book('b-1', '101', 'g-1'),
    await bookings.book('b-1', '101', 'g-1'),
    await bookings.book('b-2', '102', 'g-2'),
  ]
  expect(again).toBe(yes)
  await eventually('both ended', async () => {
    const ends = await Promise.all([yes, no].map(async (id) => (await sagas.instance(id))?.status))
    return ends[0] === 'COMPLETED' && ends[1] === 'COMPENSATED'
  })
  expect(asked.sort()).toEqual(['ConfirmRoom 101', 'ConfirmRoom 102', 'HoldRoom 101', 'HoldRoom 102', 'ReleaseRoom 102'])
  await app.close()
  await hotel.close()
  await close()
  await driver.close()
  await booked.drop()
})
