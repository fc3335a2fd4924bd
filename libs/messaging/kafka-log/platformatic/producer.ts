import { Producer, stringSerializer } from '@platformatic/kafka'
import type { KafkaClientOptions, KafkaClientProducer, PlacedRecord } from '../client.js'
import { connectBy, unavailable } from './connect.js'

export class PlatformaticProducer implements KafkaClientProducer {
  readonly #producer: Producer<string, Buffer, string, string>

  constructor(options: KafkaClientOptions) {
    this.#producer = new Producer({
      ...connectBy(options),
      idempotent: true,
      acks: -1,
      serializers: { key: stringSerializer, headerKey: stringSerializer, headerValue: stringSerializer },
    })
  }

  send(records: readonly PlacedRecord[]): Promise<void> {
    return unavailable(async () => {
      await this.#producer.send({
        messages: records.map(({ topic, partition, key, headers, value }) => ({
          topic,
          partition,
          key,
          headers: { ...headers },
          value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
        })),
      })
    })
  }

  close(): Promise<void> {
    return unavailable(() => this.#producer.close())
  }
}
