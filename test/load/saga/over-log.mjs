// The same saga with steps that are commands to another service and answers from it, over the PostgreSQL log: each hop is a transaction of its
// own, published by a relay and taken by a consumer, as between apps. The service keeps each command's answer and does nothing else.
import { randomUUID } from 'node:crypto'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { Consumer, logMigrations, messagingMigrations, pgConsumerStore, postgresLog, Relay } from '#messaging'
import { createPool, migrate, pgTransactions } from '#postgres'
import {
  command,
  defineSaga,
  pgSagaStore,
  SagaDefinitions,
  SagaEngine,
  SagaInbox,
  sagaIdFor,
  sagaMigrations,
  sagaStream,
  SagaWorker,
} from '#saga'
import { answering } from '#service'

const MOST_MS = 60_000
const NAMES = ['one', 'two', 'three']

const message = (saga, { id, replyTo, context }) => ({
  topic: 'bench.commands',
  key: saga.id,
  type: 'DoNothing',
  schemaVersion: 1,
  data: { replyTo },
  id,
  context,
})
const definitions = new SagaDefinitions([
  defineSaga({ type: 'bench', version: 1, steps: NAMES.map((name) => ({ name, does: command(message) })) }),
])

const report = (error) => console.error(error)

/** A store with its relay, on connections of its own. */
const openApp = async (url, app, types, migrations) => {
  await migrate({ url, schema: app, migrations: [...eventStoreMigrations, ...messagingMigrations, ...migrations] })
  const postgres = { url, schema: app, applicationName: app, maxConnections: 8, statementTimeout_ms: 60_000 }
  const pool = createPool(postgres)
  const store = await openEventStore({ pool, postgres, types, publish: () => [], clock: systemClock, app, onBackgroundError: report })
  const driver = postgresLog({ url, shared: true })
  const relay = new Relay({ outbox: store.outbox, driver, app, listener: { onError: ({ error }) => report(error) } })
  await relay.start()
  const consume = async (topic, handler, transactions = pgTransactions(pool)) => {
    const consumer = new Consumer({ driver, group: app, transactions, consumerStore: pgConsumerStore(pool) }, new Map([[topic, handler]]))
    await consumer.start()
    return consumer
  }
  const close = async (consumer) => {
    await consumer.close()
    await relay.stop()
    await store.close()
    await driver.close()
    await pool.end()
  }
  return { pool, postgres, store, driver, consume, close }
}

/** `partitions` of each topic: the platform's have one where the log is in PostgreSQL (`libs/service/log.ts`). */
export const openOverLog = async (url, partitions) => {
  await migrate({ url, schema: 'log', migrations: logMigrations })
  const service = await openApp(url, 'service', [], [])
  await service.driver.ensureTopics(['bench.commands', 'replies'].map((name) => ({ name, partitions, retention_ms: 3_600_000 })))
  const nothing = ({ data }) => ({ replyTo: data.replyTo, streams: [], decide: () => ({ appends: [] }) })
  const commands = await service.consume('bench.commands', answering(service.store, nothing))

  const sagas = await openApp(url, 'sagas', [sagaStream], sagaMigrations)
  const store = pgSagaStore(sagas.pool, sagas.postgres)
  const engine = new SagaEngine({ commands: sagas.store, store, definitions, clock: systemClock, app: 'sagas' })
  const transactions = pgTransactions(sagas.pool)
  const worker = new SagaWorker({ engine, store, transactions, clock: systemClock, activities: {}, onError: report }, { concurrency: 512 })
  await worker.start()

  // A saga has ended when the transaction that took the answer of its last step has.
  const ends = new Map()
  const inbox = new SagaInbox(engine, {})
  const handler = async (messages) => {
    const effect = await inbox.handle(messages)
    return async (tx) => {
      await effect(tx)
      tx.bench?.push(...messages.filter(({ data }) => data.commandId.endsWith(NAMES.at(-1))).map(({ data }) => data.replyTo))
    }
  }
  const noticing = {
    run: async (work) => {
      const ended = []
      const result = await transactions.run((tx) => work(Object.assign(tx, { bench: ended })))
      for (const id of ended) ends.get(id)?.resolve()
      return result
    },
  }
  const replies = await sagas.consume('replies', handler, noticing)
  return {
    run: async () => {
      const correlationKey = randomUUID()
      const sagaId = sagaIdFor('bench', correlationKey)
      const ended = Promise.withResolvers()
      ends.set(sagaId, ended)
      const late = setTimeout(() => ended.reject(new Error('a saga did not end')), MOST_MS)
      const context = { correlationId: correlationKey, causationId: 'bench' }
      await worker.submit({ kind: 'start', id: correlationKey, sagaId, context, type: 'bench', correlationKey, data: {} })
      await ended.promise
      clearTimeout(late)
      ends.delete(sagaId)
    },
    close: async () => {
      await worker.stop()
      await sagas.close(replies)
      await service.close(commands)
    },
  }
}
