import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Controller, Module } from '@nestjs/common'
import { ClientKafka, EventPattern, Payload, Transport } from '@nestjs/microservices'
import { NestFactory } from '@nestjs/core'
import { lastValueFrom } from 'rxjs'
import { eventually } from '#kernel/testing'
import { kafkaLog } from '#messaging'
import { LogClient } from '#messaging/nest'
import { createPool } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { withKafka } from '../support/kafka.mjs'
import { createParcels, ParcelsController } from './snippets/from-kafka.js'

const heard: unknown[] = []

/** An app that nobody has changed yet. */
@Controller()
class StockController {
  @EventPattern('parcels')
  handle(@Payload() parcel: unknown): void {
    heard.push(parcel)
  }
}

@Module({ controllers: [StockController] })
class StockModule {}

withKafka({ describe, it, beforeAll, afterAll }, (kafka) => {
  it('an app takes the place of one with Transport.KAFKA: it goes on where that stood, reads what ClientKafka sends, puts aside what is ill, and what LogClient sends is read by both', async () => {
    const { brokers } = kafka()
    const database = await createTestDatabase([])
    const driver = await kafkaLog({ clientId: 'test', brokers })
    await driver.ensureTopics([{ name: 'parcels', partitions: 2, retention_ms: 86_400_000 }])
    const stock = await NestFactory.createMicroservice(StockModule, {
      transport: Transport.KAFKA,
      options: { client: { brokers: [...brokers], logLevel: 0 }, consumer: { groupId: 'stock' }, subscribe: { fromBeginning: true } },
      logger: false,
    })
    const client = new ClientKafka({ client: { brokers: [...brokers], logLevel: 0 }, producerOnlyMode: true })
    await Promise.all([stock.listen(), client.connect()])
    await lastValueFrom(client.emit('parcels', { key: 'asha', value: { to: 'Pune, long ago' } }))
    const stood = (await driver.offsets('parcels')).map((each) => ({ ...each, topic: 'parcels' }))
    const app = await createParcels(brokers, database, stood)
    await app.listen()
    try {
      const parcels = [1, 2, 3].map((n) => ({ key: 'asha', value: { to: `Pune ${n}` } }))
      for (const parcel of [parcels[0], { key: 'ill', value: { weight_g: 1 } }, parcels[1], parcels[2]])
        await lastValueFrom(client.emit('parcels', parcel))
      await eventually('all are handled', () => ParcelsController.seen.length === 3)
      await lastValueFrom(new LogClient({ driver, source: 'test' }).emit('parcels', { key: 'asha', value: { to: 'Pune 4' } }))
      await eventually('the newer one too', () => ParcelsController.seen.length === 4)
      expect(ParcelsController.seen).toEqual([1, 2, 3, 4].map((n) => `asha to Pune ${n}`))
      const pool = createPool(database)
      const { rows } = await pool.query<{ key: string }>('SELECT key FROM deferred')
      await pool.end()
      expect(rows).toEqual([{ key: 'ill' }])
      await eventually('the app as it was reads both', () => heard.length >= 6)
      expect(heard).toContainEqual({ to: 'Pune 4' })
    } finally {
      await Promise.all([app.close(), stock.close(), client.close()])
      await driver.close()
      await database.drop()
    }
  })
})
