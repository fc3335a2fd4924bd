import 'reflect-metadata'
import { runApp } from '#service'
import { createOrderCommandApp } from './app.js'
import { invariants } from './invariants.js'
import { migrations } from './migrations.js'
import { streamTypes } from './streams.js'
import { orderCommandConfig } from './order-command.config.js'

await runApp({
  name: 'order-command',
  description: 'Orders, catalogue and stock: what changes them.',
  config: orderCommandConfig,
  migrations,
  types: streamTypes,
  invariants,
  publishes: true,
  makesSubjectKeys: true,
  create: (config) => createOrderCommandApp(config),
})
