import { unavailableWhere } from '../client.js'

/** By name: Node does not see the class among the exports of kafkajs, which is CommonJS. */
export const unavailable = unavailableWhere(({ name }) => name.startsWith('KafkaJS'))
