import 'reflect-metadata'
import { readConfig, runStandalone } from '#platform'
import { createOrderQueryApp } from './app.js'
import { orderQueryConfig } from './order-query.config.js'

const config = readConfig(orderQueryConfig)
await runStandalone(() => createOrderQueryApp(config), { name: 'order-query', port: config.PORT })
