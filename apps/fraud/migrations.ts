import { eventStoreMigrations } from '#event-store'
import { DEFAULT_SCORECARD } from '#fraud'
import { messagingMigrations } from '#messaging'
import type { Migration } from '#postgres'
import { invariantMigrations } from '#service'
import type { MigrationInterface, QueryRunner } from 'typeorm'

class CreateFraud1764000100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE scored_transaction (
        transaction_id text PRIMARY KEY,
        order_id text,
        customer_id text NOT NULL,
        amount bigint NOT NULL,
        method text NOT NULL,
        address_hash text,
        device_hash text,
        at bigint NOT NULL,
        score double precision NOT NULL,
        decision text NOT NULL,
        reasons jsonb NOT NULL,
        model_version text NOT NULL,
        alert_id text,
        scored_at bigint NOT NULL,
        confirmed boolean NOT NULL DEFAULT false,
        cancel_reason text,
        compensated boolean NOT NULL DEFAULT false,
        good boolean GENERATED ALWAYS AS (confirmed AND cancel_reason IS NULL) STORED,
        failed boolean GENERATED ALWAYS AS (
          CASE WHEN cancel_reason IS NULL THEN compensated ELSE cancel_reason IN ('payment-declined', 'payment-expired') END
        ) STORED
      )`)
    // Velocity: the latest of a customer, a device, an address. Habit and failures: few rows each.
    await runner.query('CREATE INDEX scored_by_customer ON scored_transaction (customer_id, at DESC)')
    await runner.query('CREATE INDEX scored_by_device ON scored_transaction (device_hash, at DESC) WHERE device_hash IS NOT NULL')
    await runner.query('CREATE INDEX scored_by_address ON scored_transaction (address_hash, at DESC) WHERE address_hash IS NOT NULL')
    await runner.query('CREATE INDEX scored_by_order ON scored_transaction (order_id) WHERE order_id IS NOT NULL')
    await runner.query('CREATE INDEX good_by_customer ON scored_transaction (customer_id, at DESC) WHERE good')
    await runner.query('CREATE INDEX good_by_device ON scored_transaction (customer_id, device_hash) WHERE good')
    await runner.query('CREATE INDEX good_by_address ON scored_transaction (customer_id, address_hash) WHERE good')
    await runner.query('CREATE INDEX failed_by_customer ON scored_transaction (customer_id, at DESC) WHERE failed')
    await runner.query(`
      CREATE TABLE alert (
        alert_id uuid PRIMARY KEY,
        order_id text NOT NULL,
        customer_id text NOT NULL,
        amount bigint NOT NULL,
        score double precision NOT NULL,
        reasons jsonb NOT NULL,
        model_version text NOT NULL,
        raised_at bigint NOT NULL,
        due_at bigint NOT NULL,
        decision text,
        decided_by text,
        note text,
        decided_at bigint
      )`)
    await runner.query('CREATE INDEX alert_open ON alert (alert_id) WHERE decision IS NULL')
    await runner.query('CREATE INDEX alert_due ON alert (due_at) WHERE decision IS NULL')
    await runner.query('CREATE INDEX alert_decided ON alert (decision, alert_id) WHERE decision IS NOT NULL')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE alert, scored_transaction')
  }
}

class CreateScorecards1764000200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE scorecard (
        version text PRIMARY KEY,
        effective_from timestamptz NOT NULL UNIQUE,
        review_from integer NOT NULL CHECK (review_from BETWEEN 1 AND 1000),
        decline_from integer NOT NULL CHECK (decline_from BETWEEN review_from AND 1000)
      )`)
    await runner.query(`
      CREATE TABLE scorecard_cap (
        version text NOT NULL REFERENCES scorecard,
        group_name text NOT NULL,
        points integer NOT NULL CHECK (points BETWEEN 0 AND 1000),
        PRIMARY KEY (version, group_name)
      )`)
    await runner.query(`
      CREATE TABLE scorecard_weight (
        version text NOT NULL REFERENCES scorecard,
        code text NOT NULL,
        feature text NOT NULL,
        at_least double precision NOT NULL,
        points integer NOT NULL CHECK (points BETWEEN 0 AND 1000),
        group_name text,
        text text NOT NULL,
        PRIMARY KEY (version, code, at_least)
      )`)
    const { version, effectiveFrom, reviewFrom, declineFrom, caps, weights } = DEFAULT_SCORECARD
    await runner.query('INSERT INTO scorecard VALUES ($1, to_timestamp($2), $3, $4)', [
      version,
      effectiveFrom / 1_000,
      reviewFrom,
      declineFrom,
    ])
    for (const [group, points] of Object.entries(caps))
      await runner.query('INSERT INTO scorecard_cap VALUES ($1, $2, $3)', [version, group, points])
    for (const weight of weights)
      await runner.query('INSERT INTO scorecard_weight VALUES ($1, $2, $3, $4, $5, $6, $7)', [
        version,
        weight.code,
        weight.feature,
        weight.atLeast,
        weight.points,
        weight.group ?? null,
        weight.text,
      ])
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE scorecard_weight, scorecard_cap, scorecard')
  }
}

class SampleApproved1764000300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // What it may be is in the event's schema: a CHECK would read the whole table under the lock that scoring waits for.
    await runner.query('ALTER TABLE alert ADD COLUMN share double precision')
    await runner.query('CREATE INDEX alert_sample ON alert (alert_id) WHERE share IS NOT NULL')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DELETE FROM alert WHERE share IS NOT NULL')
    await runner.query('ALTER TABLE alert DROP COLUMN share')
  }
}

/** The app's own tables, beside those of the event store and of its consumers. */
export const fraudTables: readonly Migration[] = [CreateFraud1764000100000, CreateScorecards1764000200000, SampleApproved1764000300000]

export const migrations: readonly Migration[] = [...eventStoreMigrations, ...messagingMigrations, ...invariantMigrations, ...fraudTables]
