import { createAPI, kGetApi, produceV11, Producer, Writer, type API, type Callback } from '@platformatic/kafka'
import type { KafkaClientOptions, KafkaClientProducer, PlacedRecord } from '../client.js'
import { connectBy, unavailable } from './connect.js'
import { encodeBatch } from './records.js'

export class PlatformaticProducer implements KafkaClientProducer {
  readonly #producer: Producer<undefined, PlacedRecord>

  constructor(options: KafkaClientOptions) {
    this.#producer = new OnePassProducer({
      ...connectBy(options),
      idempotent: true,
      acks: -1,
      // Records go through the client as they are, to `encode`.
      serializers: {
        key: () => undefined,
        value: (record) => record as unknown as Buffer,
        headerKey: () => undefined,
        headerValue: () => undefined,
      },
    })
  }

  send(records: readonly PlacedRecord[]): Promise<void> {
    return unavailable(async () => {
      await this.#producer.send({ messages: records.map((value) => ({ topic: value.topic, partition: value.partition, value })) })
    })
  }

  close(): Promise<void> {
    return unavailable(() => this.#producer.close())
  }
}

const PRODUCE = 0
const VERSION = 11

/** What a message of the client carries. */
interface Carried {
  readonly value: PlacedRecord
}

/** What the client knows of the partitions of a request: of each the number that its first record has, by `topic:partition`. */
interface Sending {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly sequences: { getWithDefault(partition: string, otherwise: number): number }
}

const encode = (
  acks: number,
  timeout_ms: number,
  messages: readonly Carried[],
  { producerId, producerEpoch, sequences }: Sending,
): Writer => {
  const now_ms = Date.now()
  const topics = Map.groupBy(
    messages.map(({ value }) => value),
    ({ topic }) => topic,
  )
  return Writer.create()
    .appendString(null) // No transaction.
    .appendInt16(acks)
    .appendInt32(timeout_ms)
    .appendArray([...topics], (writer, [topic, records]) => {
      const partitions = [...Map.groupBy(records, ({ partition }) => partition)]
      writer.appendString(topic).appendArray(partitions, (each, [partition, own]) => {
        const sequence = sequences.getWithDefault(`${topic}:${partition}`, 0)
        const bytes = encodeBatch(own, now_ms, { producerId, producerEpoch, sequence })
        each
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes)
      })
    })
    .appendTaggedFields()
}

const produce = createAPI(PRODUCE, VERSION, encode, produceV11.parseResponse)

/** The client's own, with its sequences, leaders and repeats; requests alone are written by `encode`. */
class OnePassProducer extends Producer<undefined, PlacedRecord> {
  override [kGetApi]<Request extends unknown[], Response>(name: string, callback: Callback<API<Request, Response>>): void {
    if (name === 'Produce') callback(null, produce as unknown as API<Request, Response>)
    else super[kGetApi](name, callback)
  }
}
