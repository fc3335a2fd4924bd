import { offsetCommitV9, type Consumer } from '@platformatic/kafka'
import type { GroupCommit } from '../client.js'

/** With metadata, which the client's own `commit` leaves out. A member that is between two generations commits nothing. */
export const commitOffsets = async (consumer: Consumer, offsets: readonly Omit<GroupCommit, 'group' | 'owned'>[]): Promise<void> => {
  const { coordinatorId, memberId, generationId, groupId } = consumer
  const coordinator = coordinatorId === null ? undefined : consumer.currentMetadata?.brokers.get(coordinatorId)
  if (!coordinator || memberId === null) return
  const connection = await consumer.connections.get(coordinator)
  const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, partitions]) => ({
    name,
    partitions: partitions.map(({ partition, offset, metadata }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    })),
  }))
  await offsetCommitV9.api.async(connection, groupId, generationId, memberId, null, topics)
}
