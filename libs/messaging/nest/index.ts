export { BatchPattern, KeepError } from './batch-pattern.js'
export * from './log-client.js'
export * from './log-server.js'
