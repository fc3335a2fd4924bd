import 'reflect-metadata'
import { runApp } from '#service'
import { createProviderSandboxApp } from './app.js'
import { migrations } from './migrations.js'
import { providerSandboxConfig } from './sandbox.config.js'

await runApp({
  name: 'provider-sandbox',
  description: 'A payment provider for development and tests, with outcomes chosen by instrument. It moves no money.',
  config: providerSandboxConfig,
  migrations,
  create: (config) => createProviderSandboxApp(config),
})
