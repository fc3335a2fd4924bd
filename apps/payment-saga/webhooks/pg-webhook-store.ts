import { asPg, type Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import type pg from 'pg'
import type { Webhook, WebhookStore } from './webhook-store.js'

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

export const webhookMigrations: readonly Migration[] = [CreateProviderWebhooks1767225600400]

export const pgWebhookStore = (pool: pg.Pool): WebhookStore => ({
  async keep({ provider, eventId, body }, now) {
    const { rowCount } = await pool.query({
      name: 'webhook-keep',
      text: `INSERT INTO provider_webhooks (provider, event_id, body, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      values: [provider, eventId, body, new Date(now)],
    })
    return rowCount === 1
  },

  async pending(limit, attempts) {
    const { rows } = await pool.query<Webhook>({
      name: 'webhook-pending',
      text: `SELECT provider, event_id AS "eventId", body FROM provider_webhooks
             WHERE processed_at IS NULL AND attempts < $2 ORDER BY received_at LIMIT $1`,
      values: [limit, attempts],
    })
    return rows
  },

  async done(webhooks, now, tx) {
    await asPg(tx).query({
      name: 'webhook-done',
      text: `UPDATE provider_webhooks webhook SET processed_at = $3
             FROM unnest($1::text[], $2::text[]) AS done (provider, event_id)
             WHERE webhook.provider = done.provider AND webhook.event_id = done.event_id`,
      values: [webhooks.map(({ provider }) => provider), webhooks.map(({ eventId }) => eventId), new Date(now)],
    })
  },

  async failed({ provider, eventId }) {
    const text = 'UPDATE provider_webhooks SET attempts = attempts + 1 WHERE provider = $1 AND event_id = $2'
    await pool.query({ name: 'webhook-failed', text, values: [provider, eventId] })
  },
})
