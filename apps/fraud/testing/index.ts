export * from './conformance.js'
export * from './memory-alert-store.js'
export * from './memory-feature-store.js'
export * from './scoring-behaviour.js'
