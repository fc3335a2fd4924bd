import { DEAD_LETTERS, MessageParked, MessageRecovered, MessageRedriven, RedriveRequested, REDRIVES } from '#contracts'
import type { MessageContext, OutgoingMessage } from '#kernel'
import { encodeMessage } from '../cloud-events.js'
import type { LogDriver, LogRecord, TopicSpec } from '../log.js'
import type { DeadLetter, LetterChange } from './store.js'

const DAY_MS = 86_400_000

/** A dead letter that recovered is forgotten after so long: as long as its topic tells of it. */
export const RECOVERED_KEPT_MS = 90 * DAY_MS

/** The topics that messaging itself needs. */
export const messagingTopics: readonly TopicSpec[] = [
  { name: DEAD_LETTERS, partitions: 1, retention_ms: RECOVERED_KEPT_MS },
  { name: REDRIVES, partitions: 1, retention_ms: 7 * DAY_MS },
]

export const changeRecord = (group: string, { letter, state, revision, at_ms, by = '' }: LetterChange): LogRecord => {
  const { id, record } = letter
  const change = { id, group, topic: record.topic, revision }
  const context = contextOf(letter)
  const messageId = `${id}@${revision}`
  if (state === 'parked') {
    return direct(MessageParked.message(id, { ...change, ...parked(letter) }, context, messageId), group, at_ms)
  }
  const contract = state === 'redriven' ? MessageRedriven : MessageRecovered
  return direct(contract.message(id, { ...change, by, at: new Date(at_ms).toISOString() }, context, messageId), group, at_ms)
}

const contextOf = ({ id, record: { headers } }: DeadLetter): MessageContext => {
  const traceparent = headers['traceparent']
  return {
    correlationId: short(headers['correlationid'] ?? id),
    causationId: short(headers['ce_id'] ?? id),
    ...(traceparent === undefined ? {} : { traceparent: short(traceparent) }),
  }
}

const MOST_TEXT = 1_024

/** What could not be read may have anything in its headers. */
const short = (text: string): string => text.slice(0, MOST_TEXT)

const parked = ({ record, failure, attempts, parkedAt_ms }: DeadLetter) => ({
  partition: record.partition,
  offset: record.offset.toString(),
  key: record.key,
  messageId: short(record.headers['ce_id'] ?? ''),
  type: short(record.headers['ce_type'] ?? ''),
  source: short(record.headers['ce_source'] ?? ''),
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
      ids.map((id) => {
        const context = { correlationId: id, causationId: id }
        return direct(RedriveRequested.message(id, { id, by }, context, `${id}@${at_ms}`), 'operator', at_ms)
      }),
    )
  } finally {
    await producer.close()
  }
}

/** Sent directly, not by a relay: there is no position that would tell a repeat. */
const direct = (message: OutgoingMessage, source: string, time_ms: number): LogRecord =>
  encodeMessage(message, source, time_ms, { incarnation: '', position: 0n, ordinal: 0 })
