import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { eventually, FakeClock, seededRandom } from '#kernel/testing'
import type { StoredRecord, TopicPartition } from '../log.js'
import type { KafkaClient, KafkaMember, MemberListener } from './client.js'
import { KafkaConsumer } from './consumer.js'

const SESSION_MS = 10_000
const slow = { topic: 'said', partition: 0 }
const quick = { topic: 'said', partition: 1 }

/** A member that reads what it is told to, and writes down what is asked of it. */
class ScriptedMember implements KafkaMember {
  readonly asked: string[] = []
  constructor(readonly listener: MemberListener) {}
  start = () => Promise.resolve()
  seek = ({ partition }: TopicPartition, offset: bigint) => void this.asked.push(`seek ${partition} to ${offset}`)
  pause = ({ partition }: TopicPartition) => void this.asked.push(`pause ${partition}`)
  resume = ({ partition }: TopicPartition) => void this.asked.push(`resume ${partition}`)
  commit = () => Promise.resolve()
  close = () => Promise.resolve()
}

let clock: FakeClock
let members: ScriptedMember[]
let consumer: KafkaConsumer
let handled: Map<number, bigint>
let gate: Promise<void>
let open: () => void

beforeEach(async () => {
  clock = new FakeClock()
  members = []
  handled = new Map()
  gate = new Promise((resolve) => (open = resolve))
  const client = {
    member: (_: unknown, listener: MemberListener) => {
      members.push(new ScriptedMember(listener))
      return members.at(-1)
    },
  } as unknown as KafkaClient
  const settings = { sessionTimeout_ms: SESSION_MS, heartbeatInterval_ms: 1_000, rebalanceTimeout_ms: 10_000 }
  consumer = new KafkaConsumer(
    client,
    {
      group: 'readers',
      topics: ['said'],
      maxBatch: 256,
      startOffset: () => Promise.resolve(0n),
      onBatch: async ({ partition }, records) => {
        if (partition === slow.partition) await gate
        handled.set(partition, (records.at(-1)?.offset ?? 0n) + 1n)
      },
    },
    { ...settings, clock, random: seededRandom(1), onClosed: () => undefined },
  )
  await consumer.start()
})
afterEach(async () => {
  open()
  await consumer.close()
})

const read = (place: TopicPartition, from: number, count: number): void => {
  const records = Array.from({ length: count }, (_, n): StoredRecord => {
    return { ...place, offset: BigInt(from + n), key: 'k', headers: {}, value: new Uint8Array(), timestamp_ms: 0 }
  })
  members.at(-1)?.listener.read(place, records, BigInt(from + count))
}

describe('a partition whose handler is slower than its reader', () => {
  it('is read no further than so many records ahead, and on when half of them are handled; another goes on meanwhile', async () => {
    const [member] = members
    member?.listener.assigned([slow, quick])
    await eventually('both are sought', () => member?.asked.length === 2)
    for (let from = 0; from < 12_000; from += 1_000) {
      read(slow, from, 1_000)
      read(quick, from, 1_000)
      const upTo = BigInt(from + 1_000)
      await eventually('the quick one is handled', () => handled.get(quick.partition) === upTo)
    }
    const asked = () => member?.asked.filter((what) => !what.startsWith('seek'))
    expect(asked()).toEqual(['pause 0'])
    expect(handled.has(slow.partition)).toBe(false)
    open()
    await eventually('the slow one is handled', () => handled.get(slow.partition) === 12_000n)
    expect(asked()).toEqual(['pause 0', 'resume 0'])
  })
})

describe('a reader’s health', () => {
  it('is that of one who hears of a broker, whether or not there is anything to read', async () => {
    members[0]?.listener.assigned([slow])
    for (let time = 0; time < 5; time++) {
      clock.advance(SESSION_MS - 1)
      expect(consumer.healthy()).toBe(true)
      members[0]?.listener.alive()
    }
    clock.advance(SESSION_MS)
    expect(consumer.healthy()).toBe(true)
    clock.advance(1)
    expect(consumer.healthy()).toBe(false)
  })

  it('does not come back with a new membership alone: one that died makes another, and that must hear of a broker', async () => {
    members[0]?.listener.assigned([slow])
    members[0]?.listener.died()
    expect(consumer.assignment()).toEqual([])
    await eventually('there is another', () => {
      clock.advance(1_000)
      return members.length === 2
    })
    clock.advance(2 * SESSION_MS)
    expect(consumer.healthy()).toBe(false)
    members[1]?.listener.assigned([slow])
    expect([consumer.healthy(), consumer.assignment()]).toEqual([true, [slow]])
  })
})
