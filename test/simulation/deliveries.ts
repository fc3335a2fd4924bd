import { REDRIVES } from '#contracts'
import type { IncomingMessage, Transaction } from '#kernel'
import { asMemory } from '#kernel/testing'
import { noEffect, type BatchHandler, type ConsumerStore, type StoredRecord, type TopicPartition } from '#messaging'
import type { MemoryBroker } from '#messaging/testing'
import { Violation } from './violation.js'

interface Moved {
  readonly group: string
  readonly place: TopicPartition
  readonly from: bigint
  readonly to: bigint
}

/**
 * Watches what every consumer does with every message: one message has one effect, and an offset moves only past what had its effect, was put
 * aside, or had come before.
 */
export class Deliveries {
  readonly #origins = new Set<string>()
  /** Of no interest to whoever read them: an offset may pass them, and they may be read again. */
  readonly #passedOver = new Set<string>()
  readonly #places = new Set<string>()
  readonly #moved: Moved[] = []
  readonly #twice: string[] = []
  readonly #topics = new Map<string, Set<string>>()
  readonly #next = new Map<string, bigint>()

  watchHandler(group: string, topic: string, handler: BatchHandler): BatchHandler {
    this.#topics.set(group, (this.#topics.get(group) ?? new Set()).add(topic))
    return async (messages) => {
      const effect = await handler(messages)
      if (effect === noEffect) {
        for (const message of messages) this.#passedOver.add(originOf(group, topic, message))
        return effect
      }
      return async (tx) => {
        await effect(tx)
        asMemory(tx).onCommit(() => {
          for (const message of messages) this.#handled(group, topic, message)
        })
      }
    }
  }

  watchStore(group: string, store: ConsumerStore): ConsumerStore {
    const aside = (tx: Transaction, records: readonly StoredRecord[]): void =>
      asMemory(tx).onCommit(() => {
        for (const record of records) this.#places.add(placeOf(group, record))
      })
    return {
      progress: (...asked) => store.progress(...asked),
      advance: async (tx, by, place, from, to) => {
        const advanced = await store.advance(tx, by, place, from, to)
        if (advanced)
          asMemory(tx).onCommit(() => {
            this.#moved.push({ group, place, from, to: to.next })
            this.#next.set(`${group} ${place.topic}/${place.partition}`, to.next)
          })
        return advanced
      },
      defer: (tx, by, messages) => {
        aside(
          tx,
          messages.map(({ record }) => record),
        )
        return store.defer(tx, by, messages)
      },
      park: (tx, by, letters) => {
        aside(
          tx,
          letters.map(({ record }) => record),
        )
        return store.park(tx, by, letters)
      },
      due: (...asked) => store.due(...asked),
      nextDue: (...asked) => store.nextDue(...asked),
      settle: (...asked) => store.settle(...asked),
      waits: (...asked) => store.waits(...asked),
      postpone: (...asked) => store.postpone(...asked),
      unpublished: (...asked) => store.unpublished(...asked),
      published: (...asked) => store.published(...asked),
      redrive: (...asked) => store.redrive(...asked),
      forgetRecovered: (...asked) => store.forgetRecovered(...asked),
      places: (...asked) => store.places(...asked),
      aside: (...asked) => store.aside(...asked),
    }
  }

  /** Of what happened since it was last asked. Throws a `Violation`. */
  check(broker: MemoryBroker): void {
    const [twice] = this.#twice
    if (twice !== undefined) throw new Violation(5, `a message had a second effect: ${twice}`)
    for (const { group, place, from, to } of this.#moved.splice(0)) {
      for (const record of broker.read(place, from, Number(to - from))) {
        const origin = originOfRecord(group, record)
        if (place.topic === REDRIVES || this.#places.has(placeOf(group, record))) continue
        if (this.#origins.has(origin) || this.#passedOver.has(origin)) continue
        throw new Violation(
          6,
          `${group} moved past ${place.topic}/${place.partition}/${record.offset}, which had no effect: ${describe(record)}`,
        )
      }
    }
  }

  /** Partitions whose end a group has not reached. */
  behind(group: string, broker: MemoryBroker): readonly string[] {
    return [...(this.#topics.get(group) ?? [])].flatMap((topic) =>
      broker
        .offsets(topic)
        .filter(({ partition, next }) => (this.#next.get(`${group} ${topic}/${partition}`) ?? 0n) < next)
        .map(({ partition }) => `${group} is behind in ${topic}/${partition}`),
    )
  }

  #handled(group: string, topic: string, message: IncomingMessage): void {
    const origin = originOf(group, topic, message)
    if (this.#origins.has(origin)) this.#twice.push(`${message.type} ${message.id} at ${group}`)
    this.#origins.add(origin)
    this.#places.add(placeOf(group, message))
  }
}

const originOf = (group: string, topic: string, { source, origin: { incarnation, position, ordinal } }: IncomingMessage): string =>
  `${group} ${topic} ${source}/${incarnation}/${position}/${ordinal}`

const placeOf = (group: string, { topic, partition, offset }: { topic: string; partition: number; offset: bigint }): string =>
  `${group} ${topic}/${partition}/${offset}`

const originOfRecord = (group: string, { topic, headers }: StoredRecord): string =>
  `${group} ${topic} ${headers['ce_source']}/${headers['originincarnation']}/${headers['originposition']}/${headers['originordinal']}`

const describe = ({ headers }: StoredRecord): string =>
  `${headers['ce_type']} ${headers['ce_id']} of ${headers['ce_source']} at ${headers['originposition']}/${headers['originordinal']}`
