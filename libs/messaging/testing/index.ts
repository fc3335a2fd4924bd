export * from './eventually.js'
export * from './log-conformance.js'
