import type { IncomingMessage, JsonObject, OutgoingMessage } from '#kernel'
import { DependencyUnavailable } from './failure.js'
import type { LogRecord, StoredRecord } from './log.js'

/**
 * CloudEvents 1.0 in binary content mode, as its Kafka protocol binding has it: attributes are headers with `ce_`, the data is the value.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 * `originincarnation`, `originposition` and `originordinal` say where in the publisher's store the message comes from.
 */
export interface Origin {
  readonly incarnation: string
  readonly position: bigint
  readonly ordinal: number
}

const MOST_HEADER = 1_024
/** Bytes of a key, which PostgreSQL keeps in an index while the message waits. */
const MOST_KEY = 1_024
export const JSON_TYPE = 'application/json'
/** With the id of its schema before it, see `avro/values.ts`. */
export const AVRO = 'application/avro'

/** A message with its place, as the log carries it. The id, where the sender gave none, is `<incarnation>/<position>/<ordinal>`. */
export const encodeMessage = (message: OutgoingMessage, source: string, time_ms: number, origin: Origin): LogRecord => {
  const { context } = message
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: message.id ?? `${origin.incarnation}/${origin.position}/${origin.ordinal}`,
    ce_type: message.type,
    ce_source: source,
    ce_subject: message.key,
    ce_time: new Date(time_ms).toISOString(),
    'content-type': JSON_TYPE,
    schemaversion: String(message.schemaVersion),
    correlationid: context.correlationId,
    causationid: context.causationId,
    originincarnation: origin.incarnation,
    originposition: origin.position.toString(),
    originordinal: String(origin.ordinal),
  }
  if (context.traceparent !== undefined) headers['traceparent'] = context.traceparent
  return { topic: message.topic, key: message.key, headers, value: encoder.encode(JSON.stringify(message.data)) }
}

/** The bytes are not a message of ours. `reason` names the part, never its content. */
export class Undecodable extends Error {
  override readonly name = 'Undecodable'
  constructor(readonly reason: string) {
    super(`not a readable message: ${reason}`)
  }
}

/** Throws `Undecodable`; `DependencyUnavailable` where others write Avro and this process has no registry to read it by. A message without an origin (another producer's) has an empty incarnation: nothing is known of its repeats. */
export const decodeMessage = (record: StoredRecord): IncomingMessage => {
  const { headers } = record
  if (headers['content-type'] === AVRO) throw new DependencyUnavailable('the value is Avro, and no schema registry is set here')
  const incarnation = headers['originincarnation'] ?? ''
  const traceparent = headers['traceparent']
  const replyTo = headers['replyto']
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    key: key(record.key),
    id: required(headers, 'ce_id'),
    type: required(headers, 'ce_type'),
    schemaVersion: digits(headers['schemaversion'] ?? '1', 'schemaversion'),
    source: required(headers, 'ce_source'),
    origin:
      incarnation === ''
        ? { incarnation, position: record.offset, ordinal: 0 }
        : {
            incarnation,
            position: position(required(headers, 'originposition')),
            ordinal: digits(headers['originordinal'] ?? '0', 'originordinal'),
          },
    time: time(headers['ce_time'], record.timestamp_ms),
    ...(replyTo === undefined || replyTo.length > MOST_HEADER ? {} : { replyTo }),
    data: data(record.value),
    context: {
      correlationId: headers['correlationid'] ?? required(headers, 'ce_id'),
      causationId: headers['causationid'] ?? required(headers, 'ce_id'),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  }
}

/**
 * As `decodeMessage`, and a record without CloudEvents attributes, as Nest's own `ClientKafka` and most other producers write them, is a message
 * too: its topic is its type, its place in the log its id.
 */
export const decodePlain = (record: StoredRecord): IncomingMessage => {
  const { topic, partition, offset, headers } = record
  if (headers['ce_specversion'] !== undefined) return decodeMessage(record)
  const attributes = { ce_id: `${topic}/${partition}/${offset}`, ce_type: topic, ce_source: topic }
  return decodeMessage({ ...record, headers: { ...headers, ...attributes } })
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

const required = (headers: LogRecord['headers'], name: string): string => {
  const value = headers[name]
  if (value === undefined || value === '' || value.length > MOST_HEADER) throw new Undecodable(`header ${name} is missing or too long`)
  return value
}

/** Why it can be no message's key, where others' producers write bytes that come as anything; U+FFFD stands for what is no UTF-8. */
export const keyFault = (text: string): string | undefined => {
  if (Buffer.byteLength(text) > MOST_KEY) return 'the key is too long'
  return /[\0\uFFFD]/.test(text) ? 'the key is not text' : undefined
}

const key = (text: string): string => {
  const fault = keyFault(text)
  if (fault) throw new Undecodable(fault)
  return text
}

const digits = (text: string, name: string): number => {
  if (!/^[0-9]{1,9}$/.test(text)) throw new Undecodable(`header ${name} is not a number`)
  return Number(text)
}

const position = (text: string): bigint => {
  if (!/^[0-9]{1,19}$/.test(text)) throw new Undecodable('header originposition is not a number')
  return BigInt(text)
}

const time = (text: string | undefined, otherwise_ms: number): number => {
  if (text === undefined) return otherwise_ms
  const time_ms = Date.parse(text)
  if (Number.isNaN(time_ms)) throw new Undecodable('header ce_time is not a time')
  return time_ms
}

const data = (value: Uint8Array): JsonObject => {
  let parsed: unknown
  try {
    parsed = JSON.parse(decoder.decode(value))
  } catch {
    // The parser's own message quotes the text, which may hold personal data.
    throw new Undecodable('the value is not JSON in UTF-8')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Undecodable('the value is not a JSON object')
  return parsed as JsonObject
}
