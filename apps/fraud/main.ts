import 'reflect-metadata'
import { runApp } from '#service'
import { createFraudApp } from './app.js'
import { invariants } from './invariants.js'
import { migrations } from './migrations.js'
import { fraudConfig } from './fraud.config.js'
import { streamTypes } from './streams.js'

await runApp({
  name: 'fraud',
  description: 'Fraud: scores transactions, raises alerts, and keeps the review queue.',
  config: fraudConfig,
  migrations,
  types: streamTypes,
  invariants,
  publishes: true,
  create: (config) => createFraudApp(config),
})
