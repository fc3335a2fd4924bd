import { asPg, type Migration } from '#postgres'
import type pg from 'pg'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import type { HoldExpiries } from './hold-expiries.js'

class CreateHoldExpiry1764000000100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // `due_at_ms` is when it is looked at next: at first when the hold expires.
    await runner.query(`CREATE TABLE hold_expiry (
      wallet_id text COLLATE "C" NOT NULL,
      hold_id text COLLATE "C" NOT NULL,
      expires_at_ms bigint NOT NULL,
      due_at_ms bigint NOT NULL,
      claims integer NOT NULL DEFAULT 0,
      PRIMARY KEY (wallet_id, hold_id)
    )`)
    await runner.query('CREATE INDEX hold_expiry_due ON hold_expiry (due_at_ms)')
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

// The exponent is bounded because 2 to the power of many claims is no longer a bigint.
const CLAIM = `
WITH due AS (
  SELECT wallet_id, hold_id, due_at_ms FROM hold_expiry WHERE due_at_ms <= $1 ORDER BY due_at_ms LIMIT $2 FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE hold_expiry h
  SET claims = claims + 1, due_at_ms = $1 + least($4::bigint, $3::bigint * (1::bigint << least(claims, 30)))
  FROM due WHERE h.wallet_id = due.wallet_id AND h.hold_id = due.hold_id
  RETURNING h.wallet_id, h.hold_id, h.expires_at_ms, due.due_at_ms AS was_due_at_ms
)
SELECT wallet_id, hold_id, expires_at_ms FROM claimed ORDER BY was_due_at_ms, hold_id`

export const pgHoldExpiries = (pool: pg.Pool): HoldExpiries => ({
  async add({ walletId, holdId, expiresAt_ms }, tx) {
    await asPg(tx).query({
      name: 'add-hold-expiry',
      text: 'INSERT INTO hold_expiry (wallet_id, hold_id, expires_at_ms, due_at_ms) VALUES ($1, $2, $3, $3)',
      values: [walletId, holdId, expiresAt_ms],
    })
  },

  async claim(now_ms, limit, { first_ms, most_ms }) {
    const { rows } = await pool.query<Row>({
      name: 'claim-hold-expiries',
      text: CLAIM,
      values: [now_ms, limit, first_ms, most_ms],
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
