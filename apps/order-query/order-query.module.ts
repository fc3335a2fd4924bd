import { masterKeyOf, openSealed } from '#event-store'
import { systemClock, type Clock } from '#kernel'
import type { LogDriver } from '#messaging'
import { Readiness } from '#platform'
import { createPool, type PostgresConfig } from '#postgres'
import { AppliedVersions, dataSourceOptions, typeormRows, type RowStore } from '#projections'
import { Inject, Injectable, Module, type DynamicModule, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import type pg from 'pg'
import { DataSource } from 'typeorm'
import { OrdersController, type OpenAddress } from './http/orders.controller.js'
import { ProductsController } from './http/products.controller.js'
import { Freshness } from './http/reads.js'
import { logDriver } from './log.js'
import { EventsConsumer } from './messages/events.consumer.js'
import type { OrderQueryConfig } from './order-query.config.js'
import { PROJECTED_CATEGORIES } from './projection.js'
import { Orders } from './read-models/orders.js'
import { Products } from './read-models/products.js'
import { ENTITIES } from './read-models/tables.js'
import { LOG_DRIVER, MESSAGING_POOL, OPEN_ADDRESS, ROWS } from './tokens.js'

/** Offsets and deferred messages are small and seldom: the projections' own writes go through TypeORM. */
const MESSAGING_CONNECTIONS = 2

/** Closes, after the consumers have drained, what no Nest module closes by itself. */
@Injectable()
class OrderQueryLife implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(LOG_DRIVER) private readonly log: LogDriver,
    @Inject(MESSAGING_POOL) private readonly pool: pg.Pool,
    @Inject(DataSource) private readonly source: DataSource,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  onModuleInit(): void {
    this.readiness.register('database', () => this.source.query('SELECT 1'))
  }

  async onApplicationShutdown(): Promise<void> {
    await this.log.close()
    await this.pool.end()
  }
}

@Module({})
export class OrderQueryModule {
  static with(config: OrderQueryConfig, clock: Clock = systemClock): DynamicModule {
    const postgres = (maxConnections: number): PostgresConfig => ({
      url: config.DATABASE_URL,
      schema: config.DATABASE_SCHEMA,
      applicationName: 'order-query',
      maxConnections,
    })
    return {
      module: OrderQueryModule,
      imports: [
        TypeOrmModule.forRoot({
          ...dataSourceOptions(postgres(config.DATABASE_CONNECTIONS), ENTITIES),
          retryAttempts: 3,
          retryDelay: 1_000,
        }),
      ],
      controllers: [OrdersController, ProductsController, EventsConsumer],
      providers: [
        { provide: LOG_DRIVER, useFactory: () => logDriver(config) },
        { provide: MESSAGING_POOL, useFactory: () => createPool(postgres(MESSAGING_CONNECTIONS)) },
        { provide: ROWS, useFactory: (source: DataSource) => typeormRows(source), inject: [DataSource] },
        {
          provide: AppliedVersions,
          useFactory: (rows: RowStore) => new AppliedVersions({ rows, clock, categories: PROJECTED_CATEGORIES }),
          inject: [ROWS],
        },
        { provide: OPEN_ADDRESS, useFactory: () => addressOpener(config.MASTER_KEY) },
        Freshness,
        Orders,
        Products,
        OrderQueryLife,
      ],
    }
  }
}

const addressOpener = (secret: string): OpenAddress => {
  const masterKey = masterKeyOf(secret)
  return (sealed) => {
    const text = openSealed(masterKey, sealed)
    if (text === undefined) return undefined
    const address: unknown = JSON.parse(text)
    return typeof address === 'object' && address !== null ? address : undefined
  }
}
