import 'reflect-metadata'
import { runApp } from '#service'
import { createOrderQueryApp } from './app.js'
import { invariants } from './invariants.js'
import { migrations } from './migrations.js'
import { orderQueryConfig } from './order-query.config.js'
import { streamTypes } from './streams.js'

await runApp({
  name: 'order-query',
  description: 'Orders, their history, products and stock, as read models.',
  config: orderQueryConfig,
  migrations,
  types: streamTypes,
  invariants,
  create: (config) => createOrderQueryApp(config),
})
