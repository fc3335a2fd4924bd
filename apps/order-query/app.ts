import { typeormTransactions } from '#projections'
import { createService, openSubjectKeys, type ServiceParts } from '#service'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { DataSource } from 'typeorm'
import { invariants } from './invariants.js'
import { TOPICS_READ } from './messages/events.consumer.js'
import { RecoveredLetters } from './ops/recovered-letters.js'
import type { OrderQueryConfig } from './order-query.config.js'
import { OrderQueryModule } from './order-query.module.js'
import { streamTypes } from './streams.js'

/** Offsets, deferred messages and acts are small and seldom: the projections' own writes go through TypeORM. */
const MESSAGING_CONNECTIONS = 2

/** The read models of orders, products and stock, and the HTTP reads over them, as a Nest application that does not listen. */
export const createOrderQueryApp = (config: OrderQueryConfig, parts: ServiceParts = {}): Promise<NestFastifyApplication> =>
  createService(
    {
      name: 'order-query',
      description: 'Orders, their history, products and stock, as read models.',
      config,
      invariants,
      // Of acts alone, and none is published: what this app keeps is collected here already.
      types: streamTypes,
      maxConnections: MESSAGING_CONNECTIONS,
      module: ({ pool, clock, ids, lifecycle, driver, store, report }) => {
        lifecycle.works(new RecoveredLetters({ pool, clock, onError: report }))
        return OrderQueryModule.with(config, {
          clock,
          ids,
          lifecycle,
          driver,
          store,
          sealed: openSubjectKeys('order-query', config, { clock, lifecycle }),
        })
      },
      // Half of the connections are the readers', however many partitions catch up.
      transactions: (app) => typeormTransactions(app.get(DataSource), { mostAtOnce: Math.floor(config.DATABASE_CONNECTIONS / 2) }),
      askDatabase: (app) => app.get(DataSource).query('SELECT 1'),
      // What came after a parked message builds on it: it waits, so that a redrive applies all in order.
      parkedKeys: Object.fromEntries(TOPICS_READ.map((topic) => [topic, 'hold'])),
    },
    parts,
  )
