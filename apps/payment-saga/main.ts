import 'reflect-metadata'
import { readConfig, runStandalone } from '#platform'
import { createPaymentSagaApp } from './app.js'
import { paymentSagaConfig } from './payment-saga.config.js'

const config = readConfig(paymentSagaConfig)
await runStandalone(() => createPaymentSagaApp(config), { name: 'payment-saga', port: config.PORT })
