import 'reflect-metadata'
import { readConfig, runStandalone } from '#platform'
import { createProviderSandboxApp } from './app.js'
import { providerSandboxConfig } from './sandbox.config.js'

const config = readConfig(providerSandboxConfig)
await runStandalone(() => createProviderSandboxApp(config), { name: 'provider-sandbox', port: config.PORT })
