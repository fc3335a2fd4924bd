import 'reflect-metadata'
import { auditStream } from '#event-store'
import { runApp } from '#service'
import { createFraudApp } from './app.js'
import { migrations } from './migrations.js'
import { alertType } from './alerts/alert-stream.js'
import { fraudConfig } from './fraud.config.js'

await runApp({
  name: 'fraud',
  description: 'Fraud: scores transactions, raises alerts, and keeps the review queue.',
  config: fraudConfig,
  migrations,
  types: [alertType, auditStream],
  create: (config) => createFraudApp(config),
})
