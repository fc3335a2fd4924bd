import 'reflect-metadata'
import { readConfig } from '#platform'
import { createProviderSandboxApp } from './app.js'
import { providerSandboxConfig } from './sandbox.config.js'

const config = readConfig(providerSandboxConfig, process.env)
const app = await createProviderSandboxApp(config)
app.enableShutdownHooks()
await app.listen(config.PORT, '0.0.0.0')
