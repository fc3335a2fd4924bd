import type { JsonObject } from '#kernel'
import { encodeMessage } from '../cloud-events.js'
import type { LogDriver, LogRecord, TopicSpec } from '../log.js'
import type { DeadLetter } from './store.js'

/** Where consumers tell what they parked. Type `MessageParked`, keyed by the dead letter's id. */
export const DEAD_LETTERS = 'dead-letters'
/** Where a redrive is asked for. Type `RedriveRequested`; the consumer group that parked the message acts on it. */
export const REDRIVES = 'redrives'

const DAY_MS = 86_400_000

/** The topics that messaging itself needs. */
export const messagingTopics: readonly TopicSpec[] = [
  { name: DEAD_LETTERS, partitions: 1, retention_ms: 90 * DAY_MS },
  { name: REDRIVES, partitions: 1, retention_ms: 7 * DAY_MS },
]

/** What `dead-letters` says of a message: where it came from and why it was parked. Its data stays with the consumer that parked it. */
export interface MessageParkedData extends JsonObject {
  readonly id: string
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly key: string
  readonly messageId: string
  readonly type: string
  readonly source: string
  readonly errorClass: string
  readonly error: string
  readonly stackHash: string
  readonly attempts: number
  readonly parkedAt: string
}

export const parkedRecord = (group: string, letter: DeadLetter): LogRecord => {
  const { record, failure } = letter
  const { headers } = record
  const data: MessageParkedData = {
    id: letter.id,
    group,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset.toString(),
    key: record.key,
    messageId: headers['ce_id'] ?? '',
    type: headers['ce_type'] ?? '',
    source: headers['ce_source'] ?? '',
    errorClass: failure.errorClass,
    error: failure.message,
    stackHash: failure.stackHash,
    attempts: letter.attempts,
    parkedAt: new Date(letter.parkedAt_ms).toISOString(),
  }
  const traceparent = headers['traceparent']
  const context = {
    correlationId: headers['correlationid'] ?? letter.id,
    causationId: headers['ce_id'] ?? letter.id,
    ...(traceparent === undefined ? {} : { traceparent }),
  }
  return withoutOrigin(
    {
      topic: DEAD_LETTERS,
      key: letter.id,
      type: 'MessageParked',
      schemaVersion: 1,
      id: `${letter.id}@${letter.parkedAt_ms}`,
      data,
      context,
    },
    group,
    letter.parkedAt_ms,
  )
}

/** Asks the groups that parked them to take these dead letters up again. Any number of times: one effect. */
export const requestRedrive = async (
  driver: LogDriver,
  ids: readonly string[],
  time_ms: number,
  causationId = 'redrive',
): Promise<void> => {
  const producer = await driver.producer()
  try {
    await producer.send(
      ids.map((id) =>
        withoutOrigin(
          {
            topic: REDRIVES,
            key: id,
            type: 'RedriveRequested',
            schemaVersion: 1,
            id: `${id}@${time_ms}`,
            data: { id },
            context: { correlationId: id, causationId },
          },
          'operator',
          time_ms,
        ),
      ),
    )
  } finally {
    await producer.close()
  }
}

/** Sent directly, not by a relay: there is no position that would tell a repeat. */
const withoutOrigin = (message: Parameters<typeof encodeMessage>[0], source: string, time_ms: number): LogRecord =>
  encodeMessage(message, source, time_ms, { incarnation: '', position: 0n, ordinal: 0 })
