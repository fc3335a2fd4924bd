import 'reflect-metadata'
import { readConfig, runStandalone } from '#platform'
import { createFraudApp } from './app.js'
import { fraudConfig } from './fraud.config.js'

const config = readConfig(fraudConfig)
await runStandalone(() => createFraudApp(config), { name: 'fraud', port: config.PORT })
