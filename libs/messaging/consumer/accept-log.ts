import type { Transactions } from '#kernel'
import { FenceLost } from '../failure.js'
import { partitionName, type LogDriver, type TopicPartition } from '../log.js'
import { gapOf } from './log-gap.js'
import type { ConsumerStore } from './store.js'

export interface AcceptLogOptions {
  readonly driver: LogDriver
  readonly consumerStore: ConsumerStore
  readonly transactions: Transactions
  readonly group: string
  /** Also places that nothing is known to be wrong with. */
  readonly all?: boolean
}

export interface MovedPlace extends TopicPartition {
  /** Where it stood. */
  readonly next: bigint
  /** Where it goes on: the log's first record. */
  readonly first: bigint
}

/**
 * An operator's word that the log is to be read as it is: each place of the group that the log does not have, or where a member told that it
 * stands, goes to the log's first record.
 * What was handled before is recognised by its origin and dropped. Answers what it moved. A running consumer takes it up at its next look.
 */
export const acceptLog = async ({
  driver,
  consumerStore,
  transactions,
  group,
  all = false,
}: AcceptLogOptions): Promise<readonly MovedPlace[]> => {
  const moved: MovedPlace[] = []
  // What a member noticed and no offset shows: the log is another one and has grown past the place.
  const told = (await driver.groups()).filter((each) => each.group === group && each.gap !== undefined)
  const stands = new Set(told.map((each) => `${partitionName(each)} ${each.next}`))
  for (const { topic, partition, next, log: kept } of await consumerStore.places(group)) {
    const place = { topic, partition }
    // A place in another log says nothing of this one, and nothing of this one is to be read for it.
    if (kept !== undefined && kept !== driver.name) throw new Error(`${group} reads the log in ${kept}, and this one is in ${driver.name}`)
    const log = (await driver.offsets(topic)).find((each) => each.partition === partition) ?? { first: 0n, next: 0n }
    if ((!all && !stands.has(`${partitionName(place)} ${next}`) && !gapOf(place, next, log)) || next === log.first) continue
    const { marks } = await consumerStore.progress(group, place, log.first)
    await transactions.run(async (tx) => {
      if (!(await consumerStore.advance(tx, group, place, next, { next: log.first, marks, log: driver.name })))
        throw new FenceLost(group, topic, partition)
    })
    moved.push({ ...place, next, first: log.first })
  }
  return moved
}
