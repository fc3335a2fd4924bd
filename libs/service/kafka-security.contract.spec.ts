import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { LogDriver } from '#messaging'
import { eventually } from '#kernel/testing'
import { withKafka } from '../../test/support/kafka.mjs'
import { openLog, type LogPlace } from './log.js'

const DATABASE_URL = 'postgres://unused:unused@127.0.0.1:1/unused'
const TOPIC = { name: 'secrets', partitions: 1, retention_ms: 60_000 }
const REFUSED_MS = 180_000

/** Undefined: not given. */
type Change = { readonly [Name in keyof LogPlace]?: LogPlace[Name] | undefined }

withKafka(
  { describe, it, beforeAll, afterAll },
  (kafka) => {
    const place = (change: Change = {}): LogPlace => {
      const { brokers = '', caFile = '', username = '', password = '' } = kafka().secured ?? {}
      const all = {
        LOG: 'kafka',
        KAFKA_BROKERS: brokers,
        KAFKA_TLS: true,
        KAFKA_CA_FILE: caFile,
        KAFKA_SASL: 'scram-sha-512',
        KAFKA_USERNAME: username,
        KAFKA_PASSWORD: password,
        ...change,
      }
      return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as LogPlace
    }
    const open = (change: Change = {}): Promise<LogDriver> => openLog('test', { ...place(change), DATABASE_URL })
    /** Why it was refused. */
    const refusal = async (change: Change): Promise<string> => {
      const driver = await open(change)
      try {
        await driver.ensureTopics([TOPIC])
        return 'nothing'
      } catch (error) {
        return error instanceof Error ? `${error.name}: ${error.message}` : 'no error'
      } finally {
        await driver.close()
      }
    }

    it.each([
      ['scram-sha-256', 'kafkajs'],
      ['scram-sha-512', 'kafkajs'],
      ['scram-sha-256', 'platformatic'],
      ['scram-sha-512', 'platformatic'],
    ] as const)(
      'sends and reads by TLS, as a user known by %s, with %s',
      async (mechanism, client) => {
        const driver = await open({ KAFKA_SASL: mechanism, KAFKA_CLIENT: client })
        await driver.ensureTopics([TOPIC])
        await (await driver.producer()).send([{ topic: TOPIC.name, key: 'k', headers: {}, value: Buffer.from(`${mechanism} ${client}`) }])
        const read: string[] = []
        await driver.consume({
          group: `${mechanism} ${client}`.replace(' ', '-'),
          topics: [TOPIC.name],
          maxBatch: 10,
          startOffset: () => Promise.resolve(0n),
          onBatch: (_, records) => Promise.resolve(void read.push(...records.map(({ value }) => Buffer.from(value).toString()))),
        })
        await eventually('it is read', () => read.includes(`${mechanism} ${client}`))
        await driver.close()
      },
      REFUSED_MS,
    )

    it.each(['kafkajs', 'platformatic'] as const)(
      'speaks with no broker whose certificate is not trusted, and is refused with a wrong password or in the open, with %s',
      async (KAFKA_CLIENT) => {
        const [anybody, another, wrong, nobody, open] = await Promise.all([
          refusal({ KAFKA_CLIENT, KAFKA_CA_FILE: undefined }),
          refusal({ KAFKA_CLIENT, KAFKA_CA_FILE: kafka().secured?.otherCaFile }),
          refusal({ KAFKA_CLIENT, KAFKA_PASSWORD: 'wrong' }),
          refusal({ KAFKA_CLIENT, KAFKA_USERNAME: undefined, KAFKA_PASSWORD: undefined }),
          refusal({ KAFKA_CLIENT, KAFKA_TLS: false, KAFKA_CA_FILE: undefined, KAFKA_USERNAME: undefined, KAFKA_PASSWORD: undefined }),
        ])
        for (const untrusted of [anybody, another]) expect(untrusted).toMatch(/^DependencyUnavailable: .*(certificate|self-signed)/)
        expect(wrong).toMatch(/^DependencyUnavailable: .*[Aa]uthentication failed/)
        for (const closed of [nobody, open]) expect(closed).toMatch(/^DependencyUnavailable: /)
      },
      REFUSED_MS,
    )

    it('is not begun with half of a configuration', async () => {
      await expect(open({ KAFKA_PASSWORD: undefined })).rejects.toThrow('KAFKA_USERNAME, KAFKA_PASSWORD: both or none')
      await expect(open({ KAFKA_TLS: false, KAFKA_CA_FILE: undefined })).rejects.toThrow('KAFKA_USERNAME: needs KAFKA_TLS')
      await expect(open({ KAFKA_TLS: false })).rejects.toThrow('KAFKA_CA_FILE: is of use only with KAFKA_TLS')
      await expect(open({ KAFKA_CA_FILE: '/nowhere/ca.pem' })).rejects.toThrow('KAFKA_CA_FILE: /nowhere/ca.pem cannot be read')
      await expect(open({ KAFKA_CA_FILE: '/dev/null' })).rejects.toThrow('KAFKA_CA_FILE: /dev/null has no certificate in PEM')
    })
  },
  { secured: true },
)
