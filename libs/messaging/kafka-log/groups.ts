import { AssignerProtocol, type Admin, type GroupDescription } from 'kafkajs'
import { partitionName, type GroupStanding, type PartitionOffsets } from '../log.js'
import { readStanding } from './standing.js'

/** Other programs use the cluster too: groups whose commits are not of this format are none of ours. */
export const groupsOf = async (
  admin: Admin,
  offsetsOf: (topic: string) => Promise<readonly PartitionOffsets[]>,
  now_ms: number,
): Promise<readonly GroupStanding[]> => {
  const { groups } = await admin.listGroups()
  const ids = groups.filter(({ protocolType }) => protocolType === 'consumer').map(({ groupId }) => groupId)
  if (ids.length === 0) return []
  const described = new Map((await admin.describeGroups(ids)).groups.map((group) => [group.groupId, ownedOf(group)]))
  const told: Omit<GroupStanding, 'lag'>[] = []
  for (const group of ids) {
    for (const { topic, partitions } of await admin.fetchOffsets({ groupId: group })) {
      for (const { partition, offset, metadata } of partitions) {
        const standing = readStanding(metadata)
        const owned = described.get(group)?.has(partitionName({ topic, partition })) ?? false
        if (standing) told.push({ group, topic, partition, owned, next: BigInt(offset), ...standing })
      }
    }
  }
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

const ownedOf = ({ members }: GroupDescription): ReadonlySet<string> => {
  const names = members.flatMap(({ memberAssignment }) => {
    const assignment = memberAssignment.length > 0 ? AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment : undefined
    return Object.entries(assignment ?? {}).flatMap(([topic, partitions]) =>
      partitions.map((partition) => partitionName({ topic, partition })),
    )
  })
  return new Set(names)
}

const byName = (a: GroupStanding, b: GroupStanding): number =>
  a.group.localeCompare(b.group) || a.topic.localeCompare(b.topic) || a.partition - b.partition
