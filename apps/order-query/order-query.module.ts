import type { SealedTexts } from '#event-store'
import type { PostgresConfig } from '#postgres'
import { AppliedVersions, dataSourceOptions, typeormRows, typeormTransactions, type RowStore } from '#projections'
import type { ServiceContext } from '#service'
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

const postgresOf = (config: OrderQueryConfig): PostgresConfig => ({
  url: config.DATABASE_URL,
  schema: config.DATABASE_SCHEMA,
  applicationName: 'order-query',
  maxConnections: config.DATABASE_CONNECTIONS,
})

/** The store keeps what was done by privileged roles. */
export interface OrderQueryParts extends Pick<ServiceContext, 'clock' | 'ids' | 'lifecycle' | 'driver' | 'store'> {
  /** Opens what is sealed. */
  readonly sealed: SealedTexts
}

@Module({})
export class OrderQueryModule {
  static with(config: OrderQueryConfig, { clock, ids, lifecycle, sealed, driver, store }: OrderQueryParts): DynamicModule {
    const database = dataSourceOptions(postgresOf(config), ENTITIES)
    return {
      module: OrderQueryModule,
      imports: [TypeOrmModule.forRoot({ ...database, retryAttempts: 3, retryDelay: 1_000 })],
      controllers: [OrdersController, ProductsController, OpsController, EventsConsumer, DeadLettersConsumer, AuditConsumer],
      providers: [
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
        { provide: IDS, useValue: ids },
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
