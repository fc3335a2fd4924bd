import { partitionName, type LogGapReason, type PartitionOffsets, type TopicPartition } from '../log.js'

const WHY: Readonly<Record<LogGapReason, (next: bigint, log: Pick<PartitionOffsets, 'first' | 'next'>) => string>> = {
  'went-back': (next, log) => `read up to ${next}, but the log now ends at ${log.next} or is another: restored to the past, or made anew`,
  'removed-unread': (next, log) => `read up to ${next}, but the log now begins at ${log.first}: retention removed what was not read`,
  'another-log': () => 'the group reads another log than this process is set to: move it by `npx bahi migrate-log`',
}

/**
 * The consumer's place is not in the log, so there is no right place to go on from: records were lost, and only a person can say whether that
 * may be. It stands, unhealthy, and looks again, until the log has the place (a lagging replica may catch up) or `acceptLog` was called.
 */
export class LogGap extends Error {
  override readonly name = 'LogGap'
  constructor(
    readonly reason: LogGapReason,
    readonly partition: TopicPartition,
    /** Where the consumer stands. */
    readonly next: bigint,
    readonly log: Pick<PartitionOffsets, 'first' | 'next'>,
  ) {
    const place = partitionName(partition)
    super(`${place}: ${WHY[reason](next, log)}`)
  }
}

/** Whether a consumer that stands at `next` can go on in this log. */
export const gapOf = (partition: TopicPartition, next: bigint, log: Pick<PartitionOffsets, 'first' | 'next'>): LogGap | undefined => {
  if (next > log.next) return new LogGap('went-back', partition, next, log)
  if (next < log.first) return new LogGap('removed-unread', partition, next, log)
  return undefined
}
