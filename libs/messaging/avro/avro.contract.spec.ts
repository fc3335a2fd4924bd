import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { OrderConfirmed, OrderPlaced, ORDERS_EVENTS, type MessageContract } from '#contracts'
import type { IncomingMessage, JsonObject } from '#kernel'
import { asMemory, eventually, memoryTransactions } from '#kernel/testing'
import { Consumer, encodeMessage, kafkaLog, type ConsumerListener, type LogDriver, type LogRecord, type StoredRecord } from '#messaging'
import { MemoryConsumerStore } from '#messaging/testing'
import Type from 'typebox'
import { withKafka } from '../../../test/support/kafka.mjs'
import { startSchemaRegistry, type TestSchemaRegistry } from '../../../test/support/schema-registry.js'

const CONTRACTS = [OrderPlaced, OrderConfirmed] as const
const WAIT_MS = 60_000
let groups = 0
let position = 0n

const recordOf = (type: string, data: unknown, more: { topic?: string; version?: number } = {}): LogRecord => {
  const { topic = ORDERS_EVENTS, version = 1 } = more
  const context = { correlationId: 'c', causationId: 'c' }
  return encodeMessage({ topic, key: 'k', type, schemaVersion: version, data: data as JsonObject, context }, 'order-command', Date.now(), {
    incarnation: 'one',
    position: ++position,
    ordinal: 0,
  })
}

withKafka({ describe, it, beforeAll, afterAll }, (kafka) => {
  describe('values in Avro, by a schema registry', () => {
    let registry: TestSchemaRegistry
    let drivers: LogDriver[] = []
    let consumers: Consumer[] = []
    let topic = ''

    const open = async (contracts?: readonly MessageContract<never>[], url = registry.url): Promise<LogDriver> => {
      const quick = { sessionTimeout_ms: 3_000, heartbeatInterval_ms: 500, rebalanceTimeout_ms: 5_000 }
      const driver = await kafkaLog({
        brokers: kafka().brokers,
        clientId: 'avro',
        ...quick,
        ...(contracts && { registry: { url, contracts } }),
      })
      drivers.push(driver)
      return driver
    }
    /** The contract, on this test's topic. */
    const here = (contract: (typeof CONTRACTS)[number]) => ({ ...contract, topic }) as MessageContract<never>
    const send = async (driver: LogDriver, ...records: LogRecord[]): Promise<void> => (await driver.producer()).send(records)
    const read = async (driver: LogDriver, listener: ConsumerListener = {}) => {
      const seen: IncomingMessage[] = []
      const consumerStore = new MemoryConsumerStore()
      const group = `avro-${++groups}`
      const consumer = new Consumer(
        { driver, group, transactions: memoryTransactions(), consumerStore, listener },
        new Map([
          [topic, (messages) => Promise.resolve((tx) => Promise.resolve(asMemory(tx).onCommit(() => void seen.push(...messages))))],
        ]),
      )
      consumers.push(consumer)
      await consumer.start()
      return { seen, consumer }
    }
    const bytes = async (count: number): Promise<readonly StoredRecord[]> => {
      const found: StoredRecord[] = []
      await (
        await open()
      ).consume({
        group: `bytes-${++groups}`,
        topics: [topic],
        maxBatch: 10,
        startOffset: () => Promise.resolve(0n),
        onBatch: (_, records) => Promise.resolve(void found.push(...records)),
      })
      await eventually('they are there', () => found.length === count, WAIT_MS)
      return found
    }

    beforeEach(async () => {
      registry = await startSchemaRegistry()
      topic = `avro-${Date.now().toString(36)}`
      await (await open()).ensureTopics([{ name: topic, partitions: 1, retention_ms: 86_400_000 }])
    }, WAIT_MS)
    afterEach(async () => {
      for (const consumer of consumers) await consumer.close(1_000)
      for (const driver of drivers) await driver.close()
      await registry.close()
      drivers = []
      consumers = []
    }, WAIT_MS)

    it(
      'writes messages of contracts in the wire format, by a schema that it registers once, and others as JSON; reads both',
      async () => {
        const contracts = CONTRACTS.map(here)
        registry.user = 'bahi:p@ss'
        const url = registry.url.replace('//', '//bahi:p%40ss@')
        const writer = await open(contracts, url)
        await send(
          writer,
          recordOf('OrderPlaced', OrderPlaced.example, { topic }),
          recordOf('OrderConfirmed', OrderConfirmed.example, { topic }),
          recordOf('OrderPlaced', { ...OrderPlaced.example, version: 2 }, { topic }),
          recordOf('Elsewhere', { said: null }, { topic }),
          // Of another contract's version, and with a field that the schema does not have: neither loses anything.
          recordOf('OrderConfirmed', { x: 1 }, { topic, version: 2 }),
          recordOf('OrderConfirmed', { ...OrderConfirmed.example, more: 1 }, { topic }),
        )
        const subject = (type: string) => `${topic}-${topic.replace('-', '_')}.v1.${type}`
        expect(registry.asked.toSorted()).toEqual(
          ['OrderConfirmed', 'OrderPlaced']
            .flatMap((type) => [`POST /subjects/${subject(type)}/versions`, `PUT /config/${subject(type)}`])
            .toSorted(),
        )
        const stored = await bytes(6)
        expect(stored.map(({ headers }) => headers['content-type'])).toEqual([
          ...Array<string>(3).fill('application/avro'),
          ...Array<string>(3).fill('application/json'),
        ])
        const ids = ['OrderPlaced', 'OrderConfirmed', 'OrderPlaced'].map((type) => registry.subjects.get(subject(type))?.[0]?.id)
        expect(stored.slice(0, 3).map(({ value }) => [value[0], Buffer.from(value).readUInt32BE(1)])).toEqual(ids.map((id) => [0, id]))
        expect(stored[0]?.value.length).toBeLessThan(JSON.stringify(OrderPlaced.example).length * 0.7)

        const { seen } = await read(await open(contracts, url))
        await eventually('all are read', () => seen.length === 6, WAIT_MS)
        expect(seen.map(({ data }) => data)).toEqual([
          OrderPlaced.example,
          OrderConfirmed.example,
          { ...OrderPlaced.example, version: 2 },
          { said: null },
          { x: 1 },
          { ...OrderConfirmed.example, more: 1 },
        ])
        expect(registry.asked.slice(4).toSorted()).toEqual(['GET /schemas/ids/1', 'GET /schemas/ids/2'])
      },
      WAIT_MS,
    )

    it(
      'parks nothing while the registry is away: writers and readers go on when it is back',
      async () => {
        const contracts = CONTRACTS.map(here)
        const writer = await open(contracts)
        registry.down = true
        const refused = send(writer, recordOf('OrderPlaced', OrderPlaced.example, { topic }))
        await expect(refused).rejects.toThrow(/^the schema registry at http:\S+ answered 503 50003 to PUT/)
        registry.down = false
        await send(writer, recordOf('OrderPlaced', OrderPlaced.example, { topic }))
        registry.down = true
        const retries: unknown[] = []
        const parked: unknown[] = []
        const { seen } = await read(await open(contracts), {
          onRetry: ({ error }) => void retries.push(error),
          onParked: (letter) => void parked.push(letter),
          onDeferred: (letter) => void parked.push(letter),
        })
        await eventually('it tries again', () => retries.length >= 2, WAIT_MS)
        registry.down = false
        await eventually('it is read', () => seen.length === 1, WAIT_MS)
        expect(parked).toEqual([])
      },
      WAIT_MS,
    )

    it(
      'parks what names a schema that the registry does not know, or is none of Avro’s, or does not fit it, once it is sure; the rest goes on',
      async () => {
        const contracts = CONTRACTS.map(here)
        const writer = await open(contracts)
        const protobuf = registry.force('other', 'syntax = "proto3";', 'PROTOBUF')
        await send(writer, recordOf('OrderPlaced', OrderPlaced.example, { topic }))
        const ill = (id: number, ...rest: number[]): LogRecord => {
          const value = Buffer.alloc(5)
          value.writeUInt32BE(id, 1)
          return { ...recordOf('OrderPlaced', {}, { topic }), value: Buffer.concat([value, Buffer.from(rest)]) }
        }
        const [{ value }] = (await bytes(1)) as [StoredRecord]
        await send(await open(), ill(4_711), ill(protobuf, 1, 2), ill(Buffer.from(value).readUInt32BE(1), 9))
        await send(writer, recordOf('OrderConfirmed', OrderConfirmed.example, { topic }))
        const parked: string[] = []
        const { seen } = await read(await open(contracts), { onParked: ({ errorClass }) => void parked.push(errorClass) })
        await eventually('the rest is read', () => seen.length === 2, WAIT_MS)
        await eventually('they are parked', () => parked.length === 3, WAIT_MS)
        expect(new Set(parked)).toEqual(new Set(['Undecodable']))
      },
      WAIT_MS,
    )

    it(
      'lets a process without the registry wait, and a new shape under an old version be refused',
      async () => {
        const contracts = CONTRACTS.map(here)
        const writer = await open(contracts)
        await send(writer, recordOf('OrderConfirmed', OrderConfirmed.example, { topic }))
        const retries: unknown[] = []
        const parked: unknown[] = []
        const { seen, consumer } = await read(await open(), {
          onRetry: ({ error }) => void retries.push(String(error)),
          onParked: (letter) => void parked.push(letter),
        })
        await eventually('it tries again', () => retries.length >= 2, WAIT_MS)
        expect([retries[0], seen, parked, consumer.healthy()]).toEqual([
          'DependencyUnavailable: the value is Avro, and no schema registry is set here',
          [],
          [],
          true,
        ])
        const { schema } = OrderConfirmed
        const changed = { ...here(OrderConfirmed), schema: Type.Object({ ...(schema as Type.TObject).properties, reason: Type.String() }) }
        const data = { ...OrderConfirmed.example, reason: 'r' }
        const sent = send(await open([changed]), recordOf('OrderConfirmed', data, { topic }))
        await expect(sent).rejects.toThrow(/answered 409 409 to POST/)
      },
      WAIT_MS,
    )
  })
})
