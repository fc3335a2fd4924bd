import type { JsonObject } from '#kernel'
import { encodeMessage } from '../cloud-events.js'
import type { LogDriver, LogRecord, TopicSpec } from '../log.js'
import type { DeadLetter, LetterChange } from './store.js'

/** Where consumers tell what they parked and what became of it, keyed by the dead letter's id. */
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

/** Types of messages on `dead-letters`. The later two have `{id, group, topic, at, by}`, `by` being who sent it back. */
export const MESSAGE_PARKED = 'MessageParked'
export const MESSAGE_REDRIVEN = 'MessageRedriven'
export const MESSAGE_RECOVERED = 'MessageRecovered'

export const changeRecord = (group: string, change: LetterChange): LogRecord => {
  const { letter, state, revision, at_ms, by } = change
  const { id, record } = letter
  const at = new Date(at_ms).toISOString()
  const traceparent = record.headers['traceparent']
  const [type, data] =
    state === 'parked'
      ? [MESSAGE_PARKED, parkedData(group, letter)]
      : [state === 'redriven' ? MESSAGE_REDRIVEN : MESSAGE_RECOVERED, { id, group, topic: record.topic, at, by: by ?? '' }]
  return withoutOrigin(
    {
      topic: DEAD_LETTERS,
      key: id,
      type,
      schemaVersion: 1,
      id: `${id}@${revision}`,
      data: { ...data, revision },
      context: {
        correlationId: record.headers['correlationid'] ?? id,
        causationId: record.headers['ce_id'] ?? id,
        ...(traceparent === undefined ? {} : { traceparent }),
      },
    },
    group,
    at_ms,
  )
}

const parkedData = (group: string, { id, record, failure, attempts, parkedAt_ms }: DeadLetter): MessageParkedData => ({
  id,
  group,
  topic: record.topic,
  partition: record.partition,
  offset: record.offset.toString(),
  key: record.key,
  messageId: record.headers['ce_id'] ?? '',
  type: record.headers['ce_type'] ?? '',
  source: record.headers['ce_source'] ?? '',
  errorClass: failure.errorClass,
  error: failure.message,
  stackHash: failure.stackHash,
  attempts,
  parkedAt: new Date(parkedAt_ms).toISOString(),
})

export interface RedriveRequest {
  /** Dead letters' ids; those that a group does not know are nothing to it. */
  readonly ids: readonly string[]
  /** Who asks, kept with each letter: `sub` of an operator. */
  readonly by: string
  readonly at_ms: number
}

/** Asks the groups that parked them to take these dead letters up again. Any number of times: one effect. */
export const requestRedrive = async (driver: LogDriver, { ids, by, at_ms }: RedriveRequest): Promise<void> => {
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
            id: `${id}@${at_ms}`,
            data: { id, by },
            context: { correlationId: id, causationId: id },
          },
          'operator',
          at_ms,
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
