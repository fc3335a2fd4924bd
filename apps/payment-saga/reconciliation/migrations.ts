import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

class CreateReconciliation1767225600600 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Ours: what the sagas know of a payment's money at the provider, as sums that only grow.
    await runner.query(`
      CREATE TABLE provider_movements (
        payment_id text NOT NULL,
        kind       text NOT NULL,
        total      bigint NOT NULL CHECK (total > 0),
        order_id   text NOT NULL,
        at         timestamptz NOT NULL,
        PRIMARY KEY (payment_id, kind, total)
      )`)
    await runner.query('CREATE INDEX provider_movements_by_time ON provider_movements (at)')
    // A day's reconciliation: who asked for it, how far it is, what it came to. Its lines are those of run_id.
    await runner.query(`
      CREATE TABLE reconciliations (
        date         date PRIMARY KEY,
        status       text NOT NULL CHECK (status IN ('WAITING', 'DONE', 'FAILED')),
        requested_by text NOT NULL,
        reason       text NOT NULL,
        requested_at timestamptz NOT NULL,
        next_at      timestamptz,
        tries        integer NOT NULL DEFAULT 0,
        claim        integer NOT NULL DEFAULT 0,
        failure      jsonb,
        run_id       uuid UNIQUE,
        finished_at  timestamptz,
        result       jsonb
      )`)
    await runner.query('CREATE INDEX reconciliations_next ON reconciliations (next_at) WHERE next_at IS NOT NULL')
    // Theirs. Lines of a run that is not its day's are of one that failed, and go with the next.
    await runner.query(`
      CREATE TABLE settlement_lines (
        run_id     uuid NOT NULL,
        line       integer NOT NULL,
        date       date NOT NULL,
        payment_id text NOT NULL,
        kind       text NOT NULL,
        reference  text,
        amount     bigint NOT NULL CHECK (amount > 0),
        fee        bigint NOT NULL,
        tax        bigint NOT NULL,
        PRIMARY KEY (run_id, line)
      )`)
    await runner.query('CREATE INDEX settlement_lines_by_payment ON settlement_lines (payment_id, kind)')
    await runner.query('CREATE INDEX settlement_lines_by_date ON settlement_lines (date)')
    await runner.query(`
      CREATE TABLE reconciliation_cases (
        case_id     uuid PRIMARY KEY DEFAULT uuidv7(),
        date        date NOT NULL,
        upto        date NOT NULL,
        payment_id  text NOT NULL,
        kind        text NOT NULL,
        difference  text NOT NULL,
        theirs      bigint NOT NULL,
        ours        bigint NOT NULL,
        order_id    text,
        reference   text,
        status      text NOT NULL CHECK (status IN ('OPEN', 'RESOLVED')),
        opened_at   timestamptz NOT NULL,
        resolved_at timestamptz,
        resolved_by text,
        resolution  text
      )`)
    await runner.query(`CREATE UNIQUE INDEX reconciliation_cases_open ON reconciliation_cases (payment_id, kind) WHERE status = 'OPEN'`)
    await runner.query('CREATE INDEX reconciliation_cases_by_payment ON reconciliation_cases (payment_id, kind)')
    await runner.query('CREATE INDEX reconciliation_cases_by_date ON reconciliation_cases (date, case_id)')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE reconciliation_cases, settlement_lines, reconciliations, provider_movements')
  }
}

/** Counts the changes of a case, so that a person resolves what they saw. */
class VersionCases1767225600620 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE reconciliation_cases ADD COLUMN version integer NOT NULL DEFAULT 1')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE reconciliation_cases DROP COLUMN version')
  }
}

export const reconciliationMigrations: readonly Migration[] = [CreateReconciliation1767225600600, VersionCases1767225600620]
