import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import type { EventStore } from '#event-store'
import { logMigrations, messagingMigrations } from '#messaging'
import { eventually } from '#messaging/testing'
import { createPool, migrate } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { onCard, openCards } from './snippets/event-store.js'
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
