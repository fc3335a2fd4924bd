import { DEAD_LETTERS, MessageParked, MessageRecovered, MessageRedriven } from '#contracts'
import type { IncomingMessage, Transaction } from '#kernel'
import { noEffect, type Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { asPg } from '#postgres'
import { Controller } from '@nestjs/common'

/** Collects what every group tells of its dead letters. A letter's later revision is never overwritten by an earlier one. */
@Controller()
export class DeadLettersConsumer {
  @BatchPattern(DEAD_LETTERS)
  handle(messages: readonly IncomingMessage[]): Promise<Effect> {
    const changes = messages.flatMap(changeOf)
    if (changes.length === 0) return Promise.resolve(noEffect)
    return Promise.resolve(async (tx) => {
      for (const change of changes) await change(tx)
    })
  }
}

const changeOf = (message: IncomingMessage): readonly Effect[] => {
  if (message.type === MessageParked.type) return [parked(message)]
  if (message.type === MessageRedriven.type) return [moved(message, 'REDRIVEN')]
  if (message.type === MessageRecovered.type) return [moved(message, 'RECOVERED')]
  return []
}

const parked = ({ data, context }: IncomingMessage): Effect => {
  const letter = MessageParked.parse(data)
  return async (tx) => {
    await asPg(tx).query(
      `INSERT INTO dead_letters (id, "group", topic, partition, "offset", key, message_id, type, source, error_class, error, stack_hash,
          attempts, parked_at, correlation_id, traceparent, status, revision)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'PARKED', $17)
        ON CONFLICT (id) DO UPDATE SET error_class = excluded.error_class, error = excluded.error, stack_hash = excluded.stack_hash,
          attempts = excluded.attempts, parked_at = excluded.parked_at, status = excluded.status, revision = excluded.revision
        WHERE dead_letters.revision < excluded.revision`,
      [
        letter.id,
        letter.group,
        letter.topic,
        letter.partition,
        letter.offset,
        letter.key,
        letter.messageId,
        letter.type,
        letter.source,
        letter.errorClass,
        letter.error,
        letter.stackHash,
        letter.attempts,
        letter.parkedAt,
        context.correlationId,
        context.traceparent ?? null,
        letter.revision,
      ],
    )
    await remember(tx, letter, { at: letter.parkedAt, type: 'PARKED', errorClass: letter.errorClass, attempts: letter.attempts })
  }
}

const moved = ({ data }: IncomingMessage, status: 'REDRIVEN' | 'RECOVERED'): Effect => {
  const change = (status === 'REDRIVEN' ? MessageRedriven : MessageRecovered).parse(data)
  return async (tx) => {
    await asPg(tx).query('UPDATE dead_letters SET status = $2, revision = $3 WHERE id = $1 AND revision < $3', [
      change.id,
      status,
      change.revision,
    ])
    await remember(tx, change, { at: change.at, type: status, by: change.by })
  }
}

interface Remembered {
  readonly at: string
  readonly type: string
  readonly by?: string
  readonly errorClass?: string
  readonly attempts?: number
}

const remember = async (
  tx: Transaction,
  { id, revision }: { readonly id: string; readonly revision: number },
  { at, type, by, errorClass, attempts }: Remembered,
): Promise<void> => {
  await asPg(tx).query(
    `INSERT INTO dead_letter_history (id, revision, at, type, by, error_class, attempts) VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT DO NOTHING`,
    [id, revision, at, type, by ?? null, errorClass ?? null, attempts ?? null],
  )
}
