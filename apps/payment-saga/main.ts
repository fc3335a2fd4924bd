import 'reflect-metadata'
import { runApp } from '#service'
import { createPaymentSagaApp } from './app.js'
import { invariants } from './invariants.js'
import { migrations } from './migrations.js'
import { paymentSagaConfig } from './payment-saga.config.js'
import { streamTypes } from './streams.js'

await runApp({
  name: 'payment-saga',
  description: 'Payments: the sagas that take and give back money, and the providers behind them.',
  config: paymentSagaConfig,
  migrations,
  types: streamTypes,
  invariants,
  publishes: true,
  create: (config) => createPaymentSagaApp(config),
})
