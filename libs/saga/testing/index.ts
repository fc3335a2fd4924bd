export * from './bench.js'
export * from './conformance.js'
export * from './memory-store.js'
