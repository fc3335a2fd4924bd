export { BatchPattern } from './batch-pattern.js'
export * from './log-server.js'
