import 'reflect-metadata'
import { runApp } from '#service'
import { createWalletApp } from './app.js'
import { invariants } from './invariants.js'
import { migrations } from './migrations.js'
import { streamTypes } from './streams.js'
import { walletConfig } from './wallet.config.js'

await runApp({
  name: 'wallet',
  description: 'Wallets: credits, debits, holds, transfers, statements.',
  config: walletConfig,
  migrations,
  types: streamTypes,
  invariants,
  publishes: true,
  create: (config) => createWalletApp(config),
})
