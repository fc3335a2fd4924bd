import type { Transactions } from '#kernel'
import { FenceLost } from '../failure.js'
import type { LogDriver } from '../log.js'
import { gapOf, type LogGap } from './log-gap.js'
import type { ConsumerStore } from './store.js'

/**
 * An operator's word that the log is to be read as it is: each place of the group that the log does not have goes to the log's first record.
 * What was handled before is recognised by its origin and dropped. Answers what it moved; a second call moves nothing. A partition that a
 * running consumer stands at is taken up by it at its next look.
 */
export const acceptLog = async (
  driver: LogDriver,
  consumerStore: ConsumerStore,
  transactions: Transactions,
  group: string,
): Promise<readonly LogGap[]> => {
  const moved: LogGap[] = []
  for (const { topic, partition, next } of await consumerStore.places(group)) {
    const log = (await driver.offsets(topic)).find((each) => each.partition === partition) ?? { first: 0n, next: 0n }
    const gap = gapOf({ topic, partition }, next, log)
    if (!gap) continue
    const { marks } = await consumerStore.progress(group, gap.partition, log.first)
    await transactions.run(async (tx) => {
      if (!(await consumerStore.advance(tx, group, gap.partition, next, log.first, marks))) throw new FenceLost(group, topic, partition)
    })
    moved.push(gap)
  }
  return moved
}
