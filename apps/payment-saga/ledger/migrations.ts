import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

class CreateLedger1767225600500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The terms are those of the day of the first capture: rows that change later change nothing that was posted.
    await runner.query(`
      CREATE TABLE ledger_payments (
        payment_id   uuid PRIMARY KEY,
        order_id     text NOT NULL,
        basis_points integer NOT NULL,
        gst_rate     integer NOT NULL,
        captured     bigint NOT NULL,
        refunded     bigint NOT NULL CHECK (refunded BETWEEN 0 AND captured),
        captured_at  timestamptz NOT NULL
      )`)
    // A posting is the rows of one journal: debits above zero, credits below, together nothing. Its name is what it posts, so twice is once.
    await runner.query(`
      CREATE TABLE ledger_entries (
        journal    text NOT NULL,
        account    text NOT NULL,
        amount     bigint NOT NULL CHECK (amount <> 0),
        payment_id uuid NOT NULL,
        order_id   text NOT NULL,
        kind       text NOT NULL,
        at         timestamptz NOT NULL,
        PRIMARY KEY (journal, account)
      )`)
    await runner.query(`CREATE INDEX ledger_entries_by_time ON ledger_entries (at, journal)`)
    await runner.query(`
      CREATE TABLE turnarounds (
        payment_id   uuid PRIMARY KEY,
        order_id     text NOT NULL,
        due_date     date NOT NULL,
        compensation bigint NOT NULL,
        settled_at   timestamptz,
        next_at      timestamptz
      )`)
    // Those that are still under watch: few, however many there were.
    await runner.query(`CREATE INDEX turnarounds_next ON turnarounds (next_at) WHERE next_at IS NOT NULL`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE turnarounds, ledger_entries, ledger_payments')
  }
}

/** What a payment that is complete was to take, where it takes it at once. Those that took another amount are in the index: none, as it should be. */
class KeepWhatIsOwed1767225600520 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE ledger_payments ADD COLUMN owed bigint')
    await runner.query('CREATE INDEX ledger_payments_inexact ON ledger_payments (payment_id) WHERE captured <> owed')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX ledger_payments_inexact')
    await runner.query('ALTER TABLE ledger_payments DROP COLUMN owed')
  }
}

export const ledgerMigrations: readonly Migration[] = [CreateLedger1767225600500, KeepWhatIsOwed1767225600520]
