import 'reflect-metadata'
import { auditStream } from '#event-store'
import { sagaStream } from '#saga'
import { runApp } from '#service'
import { createPaymentSagaApp } from './app.js'
import { migrations } from './migrations.js'
import { paymentSagaConfig } from './payment-saga.config.js'

await runApp({
  name: 'payment-saga',
  description: 'Payments: the sagas that take and give back money, and the providers behind them.',
  config: paymentSagaConfig,
  migrations,
  types: [sagaStream, auditStream],
  create: (config) => createPaymentSagaApp(config),
})
