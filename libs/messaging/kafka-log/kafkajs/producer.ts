import { CompressionTypes, Partitioners, type Kafka, type Message, type Producer } from 'kafkajs'
import { DependencyUnavailable } from '../../failure.js'
import { partitionName } from '../../log.js'
import type { KafkaClientProducer, PlacedRecord } from '../client.js'
import { unavailable } from './unavailable.js'

/** One request in flight: with more, kafkajs's idempotent producer loses its order (kafkajs#598). */
export class KafkajsProducer implements KafkaClientProducer {
  readonly #producer: Producer
  #connected: Promise<void> | undefined

  constructor(kafka: Kafka) {
    this.#producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2_000 },
    })
  }

  send(records: readonly PlacedRecord[]): Promise<void> {
    const topics = new Map<string, Message[]>()
    for (const { topic, partition, key, headers, value } of records) {
      const message = { key, headers: { ...headers }, value: Buffer.from(value), partition }
      const messages = topics.get(topic)
      if (messages) messages.push(message)
      else topics.set(topic, [message])
    }
    return unavailable(async () => {
      this.#connected ??= this.#producer.connect()
      await this.#connected
      const answers = await this.#producer.sendBatch({
        acks: -1,
        timeout: 10_000,
        compression: CompressionTypes.None,
        topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })),
      })
      // Where a broker fails, kafkajs asks the others no second time: what one of them has come to lead meanwhile is not sent, and no error said.
      const taken = new Set(answers.map(({ topicName: topic, partition }) => partitionName({ topic, partition })))
      const left = records.find((record) => !taken.has(partitionName(record)))
      if (left) throw new DependencyUnavailable(`Kafka: no broker took what was for ${partitionName(left)}`)
    })
  }

  close(): Promise<void> {
    return this.#producer.disconnect()
  }
}
