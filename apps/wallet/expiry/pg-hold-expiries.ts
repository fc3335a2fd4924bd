import type { Migration } from '#postgres'
import type pg from 'pg'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import type { HoldExpiries } from './hold-expiries.js'

class CreateHoldExpiry1764000000100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE hold_expiry (
      wallet_id text COLLATE "C" NOT NULL,
      hold_id text COLLATE "C" NOT NULL,
      expires_at_ms bigint NOT NULL,
      PRIMARY KEY (wallet_id, hold_id)
    )`)
    await runner.query('CREATE INDEX hold_expiry_due ON hold_expiry (expires_at_ms)')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE hold_expiry')
  }
}

export const holdExpiryMigrations: readonly Migration[] = [CreateHoldExpiry1764000000100]

interface Row extends pg.QueryResultRow {
  readonly wallet_id: string
  readonly hold_id: string
  readonly expires_at_ms: bigint
}

export const pgHoldExpiries = (pool: pg.Pool): HoldExpiries => ({
  async add({ walletId, holdId, expiresAt_ms }) {
    await pool.query({
      name: 'add-hold-expiry',
      text: 'INSERT INTO hold_expiry (wallet_id, hold_id, expires_at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      values: [walletId, holdId, expiresAt_ms],
    })
  },

  async due(now_ms, limit) {
    const { rows } = await pool.query<Row>({
      name: 'due-hold-expiries',
      text: 'SELECT wallet_id, hold_id, expires_at_ms FROM hold_expiry WHERE expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT $2',
      values: [now_ms, limit],
    })
    return rows.map((row) => ({ walletId: row.wallet_id, holdId: row.hold_id, expiresAt_ms: Number(row.expires_at_ms) }))
  },

  async remove(expiries) {
    if (expiries.length === 0) return
    await pool.query({
      name: 'remove-hold-expiries',
      text: 'DELETE FROM hold_expiry USING unnest($1::text[], $2::text[]) AS gone (wallet, hold) WHERE wallet_id = wallet AND hold_id = hold',
      values: [expiries.map(({ walletId }) => walletId), expiries.map(({ holdId }) => holdId)],
    })
  },
})
