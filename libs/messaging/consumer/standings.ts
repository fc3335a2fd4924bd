import type { Clock } from '#kernel'
import { partitionName, type LogDriver, type PartitionOffsets, type Standing, type TopicPartition } from '../log.js'
import type { ConsumptionState } from './breaker.js'
import type { LogGap } from './log-gap.js'
import type { PartitionConsumer } from './partition.js'
import type { ConsumerStore } from './store.js'

interface Seen {
  readonly next: bigint
  /** When nothing waited, for the last time. */
  readonly clearAt_ms: number | undefined
  /** Since when what is at `next` waits, as far as it is known. */
  readonly since_ms: number | undefined
}

export interface StandingsOptions {
  readonly driver: LogDriver
  readonly group: string
  readonly consumerStore: ConsumerStore
  readonly clock: Clock
}

/** How far a group's partitions of this process are behind the log, in messages and in time, and what they have put aside. */
export class Standings {
  readonly #seen = new Map<string, Seen>()

  constructor(private readonly options: StandingsOptions) {}

  async of(
    partitions: readonly PartitionConsumer[],
    gaps: ReadonlyMap<string, LogGap>,
    stateOf: (place: TopicPartition) => ConsumptionState,
  ): Promise<readonly Standing[]> {
    const { driver, group, consumerStore } = this.options
    const topics = [...new Set(partitions.map(({ place }) => place.topic))]
    const [aside, ...logs] = await Promise.all([consumerStore.aside(group), ...topics.map((topic) => driver.offsets(topic))])
    return partitions.map((partition) => {
      const { place } = partition
      const log = logs[topics.indexOf(place.topic)]?.find((each) => each.partition === place.partition)
      const gap = gaps.get(partitionName(place))
      const next = gap?.next ?? partition.next
      const { deferred = 0, parked = 0 } = aside.find((each) => partitionName(each) === partitionName(place)) ?? {}
      const breaker = stateOf(place)
      return {
        ...place,
        next,
        ...this.#lag(partition, next, log),
        deferred,
        parked,
        ...(gap && { gap: gap.reason }),
        ...(breaker !== 'closed' && { breaker }),
      }
    })
  }

  /** The process has the partition no more. */
  forget(place: TopicPartition): void {
    this.#seen.delete(partitionName(place))
  }

  #lag(partition: PartitionConsumer, next: bigint, log: PartitionOffsets | undefined): Pick<Standing, 'lag' | 'waitingSince_ms'> {
    const name = partitionName(partition.place)
    const now = this.options.clock.now()
    const lag = log && log.next > next ? Number(log.next - next) : 0
    if (lag === 0) {
      this.#seen.set(name, { next, clearAt_ms: now, since_ms: undefined })
      return { lag }
    }
    const before = this.#seen.get(name)
    const since_ms = partition.underWaySince_ms ?? waitingSince(before, next, partition.handledUpTo_ms) ?? now
    this.#seen.set(name, { next, clearAt_ms: before?.clearAt_ms, since_ms })
    return { lag, waitingSince_ms: since_ms }
  }
}

/** It stands: as before. It came after all was clear: at most since then. It moves on: what comes is younger than what was handled last. */
const waitingSince = (before: Seen | undefined, next: bigint, handledUpTo_ms: number | undefined): number | undefined => {
  if (!before) return handledUpTo_ms
  if (before.next === next) return before.since_ms ?? before.clearAt_ms
  return handledUpTo_ms ?? before.since_ms
}
