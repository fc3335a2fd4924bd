import {
  Controller,
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { systemClock, type IncomingMessage } from '#kernel'
import { messagingMigrations, pgConsumerStore, Relay, type Effect, type LogDriver } from '#messaging'
import { BatchPattern, LogServer } from '#messaging/nest'
import { createPool, pgTransactions, type PostgresConfig } from '#postgres'
import {
  pgSagaStore,
  SagaDefinitions,
  SagaEngine,
  SagaInbox,
  sagaIdFor,
  sagaMigrations,
  sagaStream,
  SagaWorker,
  type ActivityOutcome,
  type ActivityRun,
} from '#saga'
import { booking } from './saga.js'

/** Run once per deployment, by `migrate({ url, schema, migrations: bookingMigrations })`. */
export const bookingMigrations = [...eventStoreMigrations, ...messagingMigrations, ...sagaMigrations]

/** Any provider of yours. `run.key` is the idempotency key of the call; when you do not know, say so: it is asked again. */
@Injectable()
export class Bank {
  charge({ input }: ActivityRun): Promise<ActivityOutcome> {
    return Promise.resolve({ outcome: 'succeeded', result: { receipt: `receipt of ${String(input['guest'])}` } })
  }

  refund(): Promise<ActivityOutcome> {
    return Promise.resolve({ outcome: 'succeeded', result: {} })
  }
}

/** Starts bookings; runs them while the app runs, whichever replica began them. */
@Injectable()
export class Bookings implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(SagaEngine) private readonly engine: SagaEngine,
    @Inject(SagaWorker) private readonly worker: SagaWorker,
  ) {}

  /** The same booking once, however often it is asked for. Resolves when it is written down; it then ends by itself. */
  async book(bookingId: string, room: string, guest: string): Promise<string> {
    const sagaId = sagaIdFor('booking', bookingId)
    await this.worker.submit({
      kind: 'start',
      id: `book ${bookingId}`,
      sagaId,
      type: 'booking',
      correlationKey: bookingId,
      data: { room, guest },
      context: { correlationId: bookingId, causationId: bookingId },
    })
    return sagaId
  }

  async onApplicationBootstrap(): Promise<void> {
    // Says so and does not start where instances run on a version that is not there any more.
    await this.engine.checkDefinitions()
    await this.worker.start()
  }

  onApplicationShutdown(): Promise<void> {
    return this.worker.stop()
  }
}

/** What the others answer, each once, in the transaction of its offset. */
@Controller()
export class BookingReplies {
  constructor(@Inject(SagaInbox) private readonly inbox: SagaInbox) {}

  @BatchPattern('replies')
  handle(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.inbox.handle(messages)
  }
}

@Module({})
export class BookingModule {}

/** All of it on one PostgreSQL: import `module`, connect `strategy` as a microservice, and `close()` after the app. */
export const openBookings = async (postgres: PostgresConfig, driver: LogDriver) => {
  const [pool, clock] = [createPool(postgres), systemClock]
  const transactions = pgTransactions(pool)
  const store = await openEventStore({ pool, postgres, types: [sagaStream], publish: () => [], clock, app: 'booking' })
  const sagas = pgSagaStore(pool, postgres)
  const engine = new SagaEngine({ commands: store, store: sagas, definitions: new SagaDefinitions([booking]), clock, app: 'booking' })
  const relay = new Relay({ outbox: store.outbox, driver, app: 'booking' })
  await relay.start()
  const module: DynamicModule = {
    module: BookingModule,
    controllers: [BookingReplies],
    providers: [
      Bank,
      Bookings,
      { provide: SagaEngine, useValue: engine },
      { provide: SagaInbox, useValue: new SagaInbox(engine, {}) },
      {
        provide: SagaWorker,
        inject: [Bank],
        useFactory: (bank: Bank) => {
          const activities = { charge: (run: ActivityRun) => bank.charge(run), refund: () => bank.refund() }
          return new SagaWorker({ engine, store: sagas, transactions, clock, activities })
        },
      },
    ],
  }
  const strategy = new LogServer({ driver, group: 'booking', transactions, consumerStore: pgConsumerStore(pool) })
  const close = async () => {
    await relay.stop()
    await store.close()
    await pool.end()
  }
  return { module, strategy, sagas, close }
}
