import { expect, it } from '@jest/globals'
import { KafkaProducer } from './producer.js'

const record = { topic: 'said', key: 'k', headers: {}, value: new Uint8Array() }

it('takes no more sends than it can keep in mind while Kafka is away, and takes them again when it is back', async () => {
  let back: () => void = () => undefined
  const away = new Promise<void>((resolve) => (back = resolve))
  const client = { send: () => away, close: () => Promise.resolve() }
  const producer = new KafkaProducer(
    () => client,
    () => Promise.resolve(1),
    undefined,
  )
  const sends = Array.from({ length: 10_000 }, () => producer.send([record]))
  await expect(producer.send([record])).rejects.toMatchObject({ name: 'DependencyUnavailable' })
  back()
  await Promise.all(sends)
  await expect(producer.send([record])).resolves.toBeUndefined()
  await producer.close()
})
