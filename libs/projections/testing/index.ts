export * from './conformance.js'
export * from './memory-rows.js'
