import { Controller, Module, UseFilters, type INestMicroservice } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Ctx, EventPattern, Payload } from '@nestjs/microservices'
import type { JsonObject } from '#kernel'
import { kafkaLog, messagingMigrations, pgConsumerStore, type Place } from '#messaging'
import { KeepError, LogContext, LogServer } from '#messaging/nest'
import { createPool, migrate, pgTransactions } from '#postgres'

/** As it was, but for the filter, which lets the transport see what failed, and the context. */
@Controller()
@UseFilters(KeepError)
export class ParcelsController {
  static readonly seen: string[] = []

  @EventPattern<string>('parcels')
  handle(@Payload() parcel: JsonObject, @Ctx() { message }: LogContext): void {
    if (typeof parcel['to'] !== 'string') throw new TypeError('a parcel without an address')
    ParcelsController.seen.push(`${message.key} to ${parcel['to']}`)
  }
}

@Module({ controllers: [ParcelsController] })
export class ParcelsModule {}

/**
 * Instead of `createMicroservice(ParcelsModule, { transport: Transport.KAFKA, … })`. `stood`: where the group before stopped, as
 * `kafka-consumer-groups.sh --describe` tells it; only what is not known yet is taken from it. Without it, it begins at the first record that is there.
 */
export const createParcels = async (
  brokers: readonly string[],
  postgres: { url: string; schema: string },
  stood: readonly Place[],
): Promise<INestMicroservice> => {
  await migrate({ ...postgres, migrations: messagingMigrations })
  const pool = createPool({ ...postgres, applicationName: 'parcels', maxConnections: 4 })
  const group = 'parcels-by-log'
  await pool.query(
    `INSERT INTO consumer_offset ("group", topic, partition, next)
     SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[]) ON CONFLICT DO NOTHING`,
    [group, stood.map(({ topic }) => topic), stood.map(({ partition }) => partition), stood.map(({ next }) => next)],
  )
  const strategy = new LogServer({
    driver: await kafkaLog({ clientId: 'parcels', brokers }),
    group,
    transactions: pgTransactions(pool),
    consumerStore: pgConsumerStore(pool),
    // Until nobody writes to it by ClientKafka any more.
    plainTopics: ['parcels'],
  })
  return NestFactory.createMicroservice(ParcelsModule, { strategy, logger: false })
}
