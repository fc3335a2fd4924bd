import 'reflect-metadata'
import { readConfig, runStandalone } from '#platform'
import { createOrderCommandApp } from './app.js'
import { orderCommandConfig } from './order-command.config.js'

const config = readConfig(orderCommandConfig)
await runStandalone(() => createOrderCommandApp(config), { name: 'order-command', port: config.PORT })
