import type { Transactions } from '#kernel'
import { FakeClock, seededRandom } from '#kernel/testing'
import type { MemoryConsumerStore } from '#messaging/testing'
import { decodeMessage, encodeMessage } from '../cloud-events.js'
import { noEffect, type StoredRecord } from '../log.js'
import { PartitionConsumer, type PartitionOptions } from './partition.js'

export const place = { topic: 'said', partition: 0 }

/** As the log of one speaker has it; `name` is its id and what it says. */
export const record = (offset: number, key = 'k', name = `${key}${offset}`): StoredRecord => ({
  ...encodeMessage(
    { topic: 'said', key, id: name, type: 'Said', schemaVersion: 1, data: { name }, context: { correlationId: 'c', causationId: 'c' } },
    'speaker',
    0,
    { incarnation: 'one', position: BigInt(offset + 1), ordinal: 0 },
  ),
  partition: 0,
  offset: BigInt(offset),
  timestamp_ms: 0,
})

/** A reader of a log of three records that does nothing and takes any failure for transient, unless `more` says otherwise. */
export const partitionOf = (
  transactions: Transactions,
  consumerStore: MemoryConsumerStore,
  more: Partial<PartitionOptions> = {},
): PartitionConsumer =>
  new PartitionConsumer(place, {
    group: 'readers',
    log: 'memory',
    handler: () => Promise.resolve(noEffect),
    transactions,
    consumerStore,
    clock: new FakeClock(),
    random: seededRandom(1),
    isTransient: () => true,
    decode: decodeMessage,
    firstRetry_ms: 1,
    mostRetry_ms: 1,
    listener: undefined,
    logOf: () => Promise.resolve({ first: 0n, next: 3n }),
    onAside: () => undefined,
    ...more,
  })
