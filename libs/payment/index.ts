export * from './amounts.js'
export * from './method.js'
export * from './provider.js'
export * from './parts.js'
