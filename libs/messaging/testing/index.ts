export * from './log-conformance.js'
export * from './memory-consumer-store.js'
export * from './memory-log.js'
export * from './runtime-conformance.js'
