import 'reflect-metadata'
import { runApp } from '#service'
import { createOrderQueryApp } from './app.js'
import { migrations } from './migrations.js'
import { orderQueryConfig } from './order-query.config.js'

await runApp({
  name: 'order-query',
  description: 'Orders, their history, products and stock, as read models.',
  config: orderQueryConfig,
  migrations,
  create: (config) => createOrderQueryApp(config),
})
