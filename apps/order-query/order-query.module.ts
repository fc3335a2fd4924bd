import type { EventStore, SealedTexts } from '#event-store'
import { systemIds, type Clock } from '#kernel'
import type { LogDriver } from '#messaging'
import type { PostgresConfig } from '#postgres'
import { AppliedVersions, dataSourceOptions, typeormRows, typeormTransactions, type RowStore } from '#projections'
import { Lifecycle } from '#service'
import { HttpCommands, Metrics } from '#platform'
import { Module, type DynamicModule } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { DataSource } from 'typeorm'
import { BusinessMetrics, visibility } from './business.js'
import { OrdersController } from './http/orders.controller.js'
import { ProductsController } from './http/products.controller.js'
import { Freshness } from './http/reads.js'
import { EventsConsumer } from './messages/events.consumer.js'
import { AuditConsumer } from './ops/audit.consumer.js'
import { AuditTrail } from './ops/audit.js'
import { DeadLettersConsumer } from './ops/dead-letters.consumer.js'
import { DeadLetters } from './ops/dead-letters.js'
import { AnyLetter, OpsController } from './ops/ops.controller.js'
import { Redrives } from './ops/redrives.js'
import type { OrderQueryConfig } from './order-query.config.js'
import { PROJECTED_CATEGORIES } from './projection.js'
import { Orders } from './read-models/orders.js'
import { Products } from './read-models/products.js'
import { ENTITIES } from './read-models/tables.js'
import { noCache, redisCache } from './read-models/read-cache.js'
import { CLOCK, IDS, LOG_DRIVER, ON_VISIBLE, READ_CACHE, ROWS, SEALED_TEXTS } from './tokens.js'

export const postgresOf = (config: OrderQueryConfig, maxConnections: number): PostgresConfig => ({
  url: config.DATABASE_URL,
  schema: config.DATABASE_SCHEMA,
  applicationName: 'order-query',
  maxConnections,
})

export interface OrderQueryParts {
  readonly clock: Clock
  /** Opens what is sealed. */
  readonly sealed: SealedTexts
  readonly driver: LogDriver
  /** What was done by privileged roles. */
  readonly store: EventStore
  /** Gives back, after the consumers have drained, what no Nest module closes by itself. */
  readonly lifecycle: Lifecycle
}

@Module({})
export class OrderQueryModule {
  static with(config: OrderQueryConfig, { clock, lifecycle, sealed, driver, store }: OrderQueryParts): DynamicModule {
    const database = dataSourceOptions(postgresOf(config, config.DATABASE_CONNECTIONS), ENTITIES)
    return {
      module: OrderQueryModule,
      imports: [TypeOrmModule.forRoot({ ...database, retryAttempts: 3, retryDelay: 1_000 })],
      controllers: [OrdersController, ProductsController, OpsController, EventsConsumer, DeadLettersConsumer, AuditConsumer],
      providers: [
        { provide: Lifecycle, useValue: lifecycle },
        { provide: ROWS, useFactory: (source: DataSource) => typeormRows(source), inject: [DataSource] },
        {
          provide: AppliedVersions,
          useFactory: (rows: RowStore) => new AppliedVersions({ rows, clock, categories: PROJECTED_CATEGORIES }),
          inject: [ROWS],
        },
        { provide: SEALED_TEXTS, useValue: sealed },
        { provide: ON_VISIBLE, useFactory: visibility, inject: [Metrics] },
        {
          provide: READ_CACHE,
          useFactory: (metrics: Metrics) => {
            if (config.REDIS_URL === undefined) return noCache
            const reads = metrics.counter('read_cache_total', 'Reads of one product or order, by what Redis knew of it.', [
              'kind',
              'outcome',
            ])
            const cache = redisCache(config.REDIS_URL, clock, (kind, outcome) => reads.inc({ kind, outcome }))
            lifecycle.closes(() => Promise.resolve(cache.close()))
            return cache
          },
          inject: [Metrics],
        },
        BusinessMetrics,
        Freshness,
        Orders,
        Products,
        { provide: LOG_DRIVER, useValue: driver },
        { provide: CLOCK, useValue: clock },
        { provide: IDS, useValue: systemIds },
        {
          provide: HttpCommands,
          useFactory: (source: DataSource) => new HttpCommands(store, clock, typeormTransactions(source)),
          inject: [DataSource],
        },
        AnyLetter,
        AuditTrail,
        DeadLetters,
        Redrives,
      ],
    }
  }
}
