import 'reflect-metadata'
import { readConfig, runStandalone } from '#platform'
import { createWalletApp } from './app.js'
import { walletConfig } from './wallet.config.js'

const config = readConfig(walletConfig)
await runStandalone(() => createWalletApp(config), { name: 'wallet', port: config.PORT })
