export * from './bench.js'
export * from './killed.js'
export * from './conformance.js'
export * from './memory-store.js'
