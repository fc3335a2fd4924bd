export * from './plain-wallets.js'
export * from './random-steps.js'
