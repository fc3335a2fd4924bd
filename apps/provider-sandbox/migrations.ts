import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

class CreateBooks1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE payment (
        payment_id uuid PRIMARY KEY,
        idempotency_key text NOT NULL UNIQUE,
        fingerprint text NOT NULL,
        order_id text NOT NULL,
        method text NOT NULL,
        flow text,
        amount bigint NOT NULL CHECK (amount > 0),
        status text NOT NULL,
        captured bigint NOT NULL CHECK (captured BETWEEN 0 AND amount),
        refunded bigint NOT NULL CHECK (refunded BETWEEN 0 AND captured),
        decline_reason text,
        created_at bigint NOT NULL,
        due_at bigint
      )`)
    await runner.query(`CREATE INDEX payment_due ON payment (due_at) WHERE due_at IS NOT NULL`)
    await runner.query(`
      CREATE TABLE operation (
        payment_id uuid NOT NULL REFERENCES payment,
        idempotency_key text NOT NULL,
        fingerprint text NOT NULL,
        answer text NOT NULL,
        PRIMARY KEY (payment_id, idempotency_key)
      )`)
    await runner.query(`
      CREATE TABLE webhook (
        event_id uuid PRIMARY KEY,
        payment_id uuid NOT NULL REFERENCES payment,
        body text NOT NULL,
        created_at bigint NOT NULL,
        next_attempt_at bigint,
        attempts integer NOT NULL DEFAULT 0,
        copies integer NOT NULL,
        delivered_at bigint
      )`)
    // A webhook with no next attempt is done: delivered as often as it was meant to be, or given up.
    await runner.query(`CREATE INDEX webhook_due ON webhook (next_attempt_at) WHERE next_attempt_at IS NOT NULL`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE webhook, operation, payment')
  }
}

class AskPayers1764000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE payment ADD COLUMN asks_payer boolean NOT NULL DEFAULT false, ADD COLUMN return_url text')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE payment DROP COLUMN asks_payer, DROP COLUMN return_url')
  }
}

class SettleMovements1764000000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE movement (
        movement_id uuid PRIMARY KEY,
        at bigint NOT NULL,
        payment_id uuid NOT NULL REFERENCES payment,
        kind text NOT NULL CHECK (kind IN ('payment', 'refund')),
        amount bigint NOT NULL CHECK (amount > 0),
        fee bigint NOT NULL CHECK (fee >= 0),
        tax bigint NOT NULL CHECK (tax >= 0)
      )`)
    await runner.query('CREATE INDEX movement_by_time ON movement (at, movement_id)')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE movement')
  }
}

class KeepWhenPaid1764000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE payment ADD COLUMN paid_at bigint')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE payment DROP COLUMN paid_at')
  }
}

export const migrations: readonly Migration[] = [
  CreateBooks1764000000000,
  AskPayers1764000000010,
  SettleMovements1764000000020,
  KeepWhenPaid1764000000030,
]
