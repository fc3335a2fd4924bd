export * from './create-service.js'
export { Life, type Worker } from './life.js'
export { openLog, TOPIC_SPECS } from './log.js'
