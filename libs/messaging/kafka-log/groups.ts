import type { GroupStanding, PartitionOffsets } from '../log.js'
import type { GroupCommit } from './client.js'
import { readStanding } from './standing.js'

/** Other programs use the cluster too: groups whose commits are not of this format are none of ours. */
export const groupsOf = async (
  commits: readonly GroupCommit[],
  offsetsOf: (topic: string) => Promise<readonly PartitionOffsets[]>,
  now_ms: number,
): Promise<readonly GroupStanding[]> => {
  const told = commits.flatMap(({ group, topic, partition, owned, offset, metadata }) => {
    const standing = readStanding(metadata)
    return standing ? [{ group, topic, partition, owned, next: offset, ...standing }] : []
  })
  const topics = [...new Set(told.map(({ topic }) => topic))]
  const logs = new Map(await Promise.all(topics.map(async (topic) => [topic, await offsetsOf(topic)] as const)))
  return told.map((each) => withLag(each, logs.get(each.topic) ?? [], now_ms)).sort(byName)
}

/** What came after it told was not there then, so it waits since then at most. */
const withLag = (told: Omit<GroupStanding, 'lag'>, log: readonly PartitionOffsets[], now_ms: number): GroupStanding => {
  const { waitingSince_ms, ...rest } = told
  const end = log.find(({ partition }) => partition === told.partition)?.next ?? told.next
  const lag = end > told.next ? Number(end - told.next) : 0
  return { ...rest, lag, ...(lag === 0 ? {} : { waitingSince_ms: waitingSince_ms ?? Math.min(told.toldAt_ms, now_ms) }) }
}

const byName = (a: GroupStanding, b: GroupStanding): number =>
  a.group.localeCompare(b.group) || a.topic.localeCompare(b.topic) || a.partition - b.partition
