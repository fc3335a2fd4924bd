import { fetchV17, type Connection, type Reader } from '@platformatic/kafka'
import type { StoredRecord, TopicPartition } from '../../log.js'
import { decodeBatches, type AbortedTransaction } from './records.js'

export interface Wanted extends TopicPartition {
  readonly topicId: string
  readonly leaderEpoch: number
  readonly offset: bigint
}

export interface Fetched {
  readonly wanted: Wanted
  /** The protocol's; 0 is none. */
  readonly errorCode: number
  readonly records: readonly StoredRecord[]
  readonly next: bigint
}

/** Long polls are short, because a seek and a resume wait for the one under way. */
const MOST_WAIT_MS = 250
const MOST_BYTES = 16 * 1024 * 1024
const MOST_PARTITION_BYTES = 1024 * 1024
const READ_COMMITTED = 1
const FETCH = 1
const VERSION = 17

/**
 * One fetch without a session, of partitions that this broker leads. Through the client's connection and not its `fetch`, which fails as a whole where
 * one partition has an error, and decodes at length.
 */
export const fetchFrom = (connection: Connection, wanted: readonly Wanted[]): Promise<readonly Fetched[]> => {
  const byTopic = Map.groupBy(wanted, ({ topicId }) => topicId)
  const topics = [...byTopic].map(([topicId, partitions]) => ({
    topicId,
    partitions: partitions.map(({ partition, leaderEpoch, offset }) => ({
      partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: offset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: MOST_PARTITION_BYTES,
    })),
  }))
  return new Promise((resolve, reject) => {
    connection.send<readonly Fetched[]>(
      FETCH,
      VERSION,
      () => fetchV17.createRequest(MOST_WAIT_MS, 1, MOST_BYTES, READ_COMMITTED, 0, -1, topics, [], ''),
      (_, __, ___, reader) => readAnswer(reader, byTopic),
      true,
      true,
      (error, fetched) => (error ? reject(error) : resolve(fetched ?? [])),
    )
  })
}

const readAnswer = (reader: Reader, byTopic: ReadonlyMap<string, readonly Wanted[]>): readonly Fetched[] => {
  reader.readInt32() // How long it throttled.
  const errorCode = reader.readInt16()
  reader.readInt32() // The session: none.
  const topics = reader.readArray((topic) => {
    const wanted = byTopic.get(topic.readUUID()) ?? []
    return topic.readArray((partition) => readPartition(partition, wanted))
  })
  const fetched = topics.flat().filter((each) => each !== undefined)
  return errorCode === 0 ? fetched : [...byTopic.values()].flat().map((wanted) => ({ wanted, errorCode, records: [], next: wanted.offset }))
}

const readPartition = (reader: Reader, candidates: readonly Wanted[]): Fetched | undefined => {
  const index = reader.readInt32()
  const wanted = candidates.find(({ partition }) => partition === index)
  const errorCode = reader.readInt16()
  reader.readInt64() // High watermark.
  reader.readInt64() // Last stable offset.
  reader.readInt64() // Where the log begins.
  const aborted =
    reader.readNullableArray((each): AbortedTransaction => ({ producerId: each.readInt64(), firstOffset: each.readInt64() })) ?? []
  reader.readInt32() // A replica that is nearer.
  const batches = reader.readNullableBytes()
  if (!wanted) return undefined
  if (errorCode !== 0 || batches === null) return { wanted, errorCode, records: [], next: wanted.offset }
  return { wanted, errorCode, ...decodeBatches(batches, wanted, wanted.offset, aborted) }
}
