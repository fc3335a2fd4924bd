import { expect, it } from '@jest/globals'
import { DependencyUnavailable } from '#messaging'
import type { Kafka } from 'kafkajs'
import { KafkajsProducer } from './producer.js'

it('a batch of which kafkajs left a partition out, because its leader failed and another broker had answered, is not acknowledged', async () => {
  let answers = [
    { topicName: 't', partition: 0 },
    { topicName: 't', partition: 1 },
  ]
  const client = { connect: () => Promise.resolve(), disconnect: () => Promise.resolve(), sendBatch: () => Promise.resolve(answers) }
  const producer = new KafkajsProducer({ producer: () => client } as unknown as Kafka)
  const batch = [0, 1, 1].map((partition) => ({ topic: 't', partition, key: 'k', headers: {}, value: new Uint8Array() }))
  await producer.send(batch)
  answers = answers.slice(1)
  await expect(producer.send(batch)).rejects.toThrow(new DependencyUnavailable('Kafka: no broker took what was for t/0'))
})
