import type { Sealer } from '#event-store'
import { asPg, type Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import type pg from 'pg'
import type { WaitingWebhook, Webhook, WebhookStore } from './webhook-store.js'

class CreateProviderWebhooks1767225600400 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE provider_webhooks (
        provider     text NOT NULL,
        event_id     text NOT NULL,
        body         text NOT NULL,
        received_at  timestamptz NOT NULL,
        processed_at timestamptz,
        attempts     integer NOT NULL DEFAULT 0,
        PRIMARY KEY (provider, event_id)
      )`)
    await runner.query(`CREATE INDEX provider_webhooks_pending ON provider_webhooks (received_at) WHERE processed_at IS NULL`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE provider_webhooks')
  }
}

class RetryProviderWebhooks1767225600410 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE provider_webhooks ADD COLUMN next_attempt_at timestamptz NOT NULL DEFAULT to_timestamp(0)')
    await runner.query('DROP INDEX provider_webhooks_pending')
    await runner.query('CREATE INDEX provider_webhooks_pending ON provider_webhooks (next_attempt_at) WHERE processed_at IS NULL')
    await runner.query('CREATE INDEX provider_webhooks_processed ON provider_webhooks (processed_at) WHERE processed_at IS NOT NULL')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX provider_webhooks_processed')
    await runner.query('DROP INDEX provider_webhooks_pending')
    await runner.query('CREATE INDEX provider_webhooks_pending ON provider_webhooks (received_at) WHERE processed_at IS NULL')
    await runner.query('ALTER TABLE provider_webhooks DROP COLUMN next_attempt_at')
  }
}

/**
 * Bodies are sealed, and gone once they were worked on. Those in the clear go with this: what waits is asked for by the status query, or sent
 * again.
 */
class SealProviderWebhooks1767225600420 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('DELETE FROM provider_webhooks WHERE processed_at IS NULL')
    await runner.query('ALTER TABLE provider_webhooks DROP COLUMN body')
    await runner.query('ALTER TABLE provider_webhooks ADD COLUMN sealed bytea')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DELETE FROM provider_webhooks WHERE processed_at IS NULL')
    await runner.query('ALTER TABLE provider_webhooks DROP COLUMN sealed')
    await runner.query("ALTER TABLE provider_webhooks ADD COLUMN body text NOT NULL DEFAULT ''")
    await runner.query('ALTER TABLE provider_webhooks ALTER COLUMN body DROP DEFAULT')
  }
}

export const webhookMigrations: readonly Migration[] = [
  CreateProviderWebhooks1767225600400,
  RetryProviderWebhooks1767225600410,
  SealProviderWebhooks1767225600420,
]

const nameOf = ({ provider, eventId }: Pick<Webhook, 'provider' | 'eventId'>) => `${provider} ${eventId}`

export const pgWebhookStore = (pool: pg.Pool, sealer: Sealer): WebhookStore => ({
  async keep(webhook, now, mostAttempts) {
    const { provider, eventId, body } = webhook
    const { rowCount } = await pool.query({
      name: 'webhook-keep',
      text: `INSERT INTO provider_webhooks (provider, event_id, sealed, received_at, next_attempt_at) VALUES ($1, $2, $3, $4, $4)
             ON CONFLICT (provider, event_id) DO UPDATE
             SET sealed = excluded.sealed, attempts = 0, received_at = excluded.received_at, next_attempt_at = excluded.next_attempt_at
             WHERE provider_webhooks.processed_at IS NULL AND provider_webhooks.attempts >= $5`,
      values: [provider, eventId, sealer.seal(body, nameOf(webhook)), new Date(now), mostAttempts],
    })
    return rowCount === 1
  },

  async pending(limit, mostAttempts, now) {
    const { rows } = await pool.query<Omit<WaitingWebhook, 'body'> & { readonly sealed: Buffer }>({
      name: 'webhook-pending',
      text: `SELECT provider, event_id AS "eventId", sealed, attempts FROM provider_webhooks
             WHERE processed_at IS NULL AND attempts < $2 AND next_attempt_at <= $3 ORDER BY next_attempt_at LIMIT $1`,
      values: [limit, mostAttempts, new Date(now)],
    })
    return rows.map(({ sealed, ...webhook }) => ({ ...webhook, body: sealer.open(sealed, nameOf(webhook)) }))
  },

  async done(webhooks, now, tx) {
    await asPg(tx).query({
      name: 'webhook-done',
      text: `UPDATE provider_webhooks webhook SET processed_at = $3, sealed = NULL
             FROM unnest($1::text[], $2::text[]) AS done (provider, event_id)
             WHERE webhook.provider = done.provider AND webhook.event_id = done.event_id`,
      values: [webhooks.map(({ provider }) => provider), webhooks.map(({ eventId }) => eventId), new Date(now)],
    })
  },

  async failed({ provider, eventId }, nextAttemptAt) {
    const text = 'UPDATE provider_webhooks SET attempts = attempts + 1, next_attempt_at = $3 WHERE provider = $1 AND event_id = $2'
    await pool.query({ name: 'webhook-failed', text, values: [provider, eventId, new Date(nextAttemptAt)] })
  },

  async purge(before, limit) {
    const { rowCount } = await pool.query({
      name: 'webhook-purge',
      text: `DELETE FROM provider_webhooks WHERE (provider, event_id) IN (
               SELECT provider, event_id FROM provider_webhooks
               WHERE processed_at < $1 OR processed_at IS NULL AND received_at < $1 LIMIT $2
               FOR UPDATE SKIP LOCKED)`,
      values: [new Date(before), limit],
    })
    return rowCount ?? 0
  },

  async counts(mostAttempts) {
    const { rows } = await pool.query<{ readonly waiting: number; readonly givenUp: number }>({
      name: 'webhook-counts',
      text: `SELECT count(*) FILTER (WHERE attempts < $1)::integer AS waiting, count(*) FILTER (WHERE attempts >= $1)::integer AS "givenUp"
             FROM provider_webhooks WHERE processed_at IS NULL`,
      values: [mostAttempts],
    })
    return rows[0] ?? { waiting: 0, givenUp: 0 }
  },
})
