import { Controller, Module, type INestApplication } from '@nestjs/common'
import type { EventStore } from '#event-store'
import type { IncomingMessage } from '#kernel'
import { pgConsumerStore, postgresLog, Relay, type Effect, type LogDriver } from '#messaging'
import { BatchPattern, LogServer } from '#messaging/nest'
import { asPg, createPool, pgTransactions, type PostgresConfig } from '#postgres'

/** Adds up what was spent, per card. A batch has one to hundreds of messages of one partition, in order. */
@Controller()
export class SpendingConsumer {
  @BatchPattern('cards.events')
  handle(messages: readonly IncomingMessage[]): Promise<Effect> {
    // First phase: read, call, compute; write nothing. It may run again.
    const spent = messages.filter(({ type }) => type === 'Spent')
    const cards = spent.map(({ key }) => key)
    const points = spent.map(({ data }) => Number(data['points']))
    // Second phase: written in one transaction with the offset, so once.
    return Promise.resolve(async (tx) => {
      await asPg(tx).query(
        `INSERT INTO spending (card, points)
         SELECT card, sum(points) FROM unnest($1::text[], $2::bigint[]) AS spent (card, points) GROUP BY card
         ON CONFLICT (card) DO UPDATE SET points = spending.points + excluded.points`,
        [cards, points],
      )
    })
  }
}

@Module({ controllers: [SpendingConsumer] })
export class SpendingModule {}

/** `await kafkaLog({ clientId, brokers })` is the other driver; nothing else changes. */
export const openCardsLog = async (logUrl: string): Promise<LogDriver> => {
  const driver = postgresLog({ url: logUrl })
  await driver.ensureTopics([{ name: 'cards.events', partitions: 6, retention_ms: 7 * 86_400_000 }])
  return driver
}

/** The publishing side: what the store's events are published as goes out in commit order. `stop()` it before the store closes. */
export const publishCards = async (store: EventStore, driver: LogDriver): Promise<Relay> => {
  const relay = new Relay({ outbox: store.outbox, driver, app: 'cards' })
  await relay.start()
  return relay
}

/** The consuming side, as any Nest microservice: then `await app.startAllMicroservices()`. */
export const consumeCards = (app: INestApplication, driver: LogDriver, postgres: PostgresConfig): void => {
  const pool = createPool(postgres)
  const strategy = new LogServer({
    driver,
    group: 'spending',
    transactions: pgTransactions(pool),
    consumerStore: pgConsumerStore(pool),
  })
  app.connectMicroservice({ strategy }, { inheritAppConfig: false })
}
