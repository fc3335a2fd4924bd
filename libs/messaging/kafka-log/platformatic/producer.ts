import { createAPI, kGetApi, produceV11, Producer, Writer, type API, type Callback } from '@platformatic/kafka'
import { systemClock } from '#kernel'
import type { KafkaClientOptions, KafkaClientProducer, PlacedRecord } from '../client.js'
import { connectBy, unavailable } from './connect.js'
import { encodeBatch } from './records.js'

export class PlatformaticProducer implements KafkaClientProducer {
  readonly #producer: Producer<undefined, PlacedRecord>

  constructor(options: KafkaClientOptions) {
    this.#producer = new OnePassProducer({ ...connectBy(options), idempotent: true, acks: -1 })
  }

  send(records: readonly PlacedRecord[]): Promise<void> {
    return unavailable(async () => {
      // Without a serializer records go through the client as they are, to `encode`.
      await this.#producer.send({ messages: records.map((value) => ({ topic: value.topic, partition: value.partition, value })) })
    })
  }

  close(): Promise<void> {
    return unavailable(() => this.#producer.close())
  }
}

const PRODUCE = 0
const VERSION = 11

/** What a message of the client carries. It is of another partition than its record says where the client does not know yet that there are so many. */
interface Carried {
  readonly partition: number
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
  const now_ms = systemClock.now()
  const topics = Map.groupBy(messages, ({ value }) => value.topic)
  return Writer.create()
    .appendString(null) // No transaction.
    .appendInt16(acks)
    .appendInt32(timeout_ms)
    .appendArray([...topics], (writer, [topic, carried]) => {
      const partitions = [...Map.groupBy(carried, ({ partition }) => partition)]
      writer.appendString(topic).appendArray(partitions, (each, [partition, own]) => {
        const sequence = sequences.getWithDefault(`${topic}:${partition}`, 0)
        const records = own.map(({ value }) => value)
        const bytes = encodeBatch(records, now_ms, { producerId, producerEpoch, sequence })
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
