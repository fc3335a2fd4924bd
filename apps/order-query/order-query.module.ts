import { masterKeyOf, openSealed } from '#event-store'
import type { Clock } from '#kernel'
import type { PostgresConfig } from '#postgres'
import { AppliedVersions, dataSourceOptions, typeormRows, type RowStore } from '#projections'
import { Life } from '#service'
import { Module, type DynamicModule } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { DataSource } from 'typeorm'
import { OrdersController, type OpenAddress } from './http/orders.controller.js'
import { ProductsController } from './http/products.controller.js'
import { Freshness } from './http/reads.js'
import { EventsConsumer } from './messages/events.consumer.js'
import type { OrderQueryConfig } from './order-query.config.js'
import { PROJECTED_CATEGORIES } from './projection.js'
import { Orders } from './read-models/orders.js'
import { Products } from './read-models/products.js'
import { ENTITIES } from './read-models/tables.js'
import { OPEN_ADDRESS, ROWS } from './tokens.js'

export const postgresOf = (config: OrderQueryConfig, maxConnections: number): PostgresConfig => ({
  url: config.DATABASE_URL,
  schema: config.DATABASE_SCHEMA,
  applicationName: 'order-query',
  maxConnections,
})

export interface OrderQueryParts {
  readonly clock: Clock
  /** Gives back, after the consumers have drained, what no Nest module closes by itself. */
  readonly life: Life
}

@Module({})
export class OrderQueryModule {
  static with(config: OrderQueryConfig, { clock, life }: OrderQueryParts): DynamicModule {
    const database = dataSourceOptions(postgresOf(config, config.DATABASE_CONNECTIONS), ENTITIES)
    return {
      module: OrderQueryModule,
      imports: [TypeOrmModule.forRoot({ ...database, retryAttempts: 3, retryDelay: 1_000 })],
      controllers: [OrdersController, ProductsController, EventsConsumer],
      providers: [
        { provide: Life, useValue: life },
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
