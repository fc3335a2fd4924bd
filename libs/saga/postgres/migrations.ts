import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import { saveSagas } from './save-sagas.js'

class CreateSagaTables1767225600300 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE saga_instances (
        id              uuid PRIMARY KEY,
        type            text NOT NULL,
        definition      integer NOT NULL,
        correlation_key text NOT NULL,
        status          text NOT NULL,
        step            text,
        waiting_for     text,
        version         integer NOT NULL,
        started_at      timestamptz NOT NULL,
        updated_at      timestamptz NOT NULL,
        UNIQUE (type, correlation_key)
      )`)
    await runner.query(`CREATE INDEX saga_instances_by_type ON saga_instances (type, status, id DESC)`)
    await runner.query(`CREATE INDEX saga_instances_by_status ON saga_instances (status, id DESC)`)
    // What is stuck is found among what has not ended: few rows, whatever the table's age.
    await runner.query(`
      CREATE INDEX saga_instances_open ON saga_instances (updated_at) WHERE status NOT IN ('COMPLETED', 'COMPENSATED')`)
    await runner.query(`CREATE SEQUENCE saga_task_epoch`)
    // Rows are short-lived and updated often: room on each page keeps updates heap-only where the index allows it.
    await runner.query(`
      CREATE TABLE saga_tasks (
        saga_id        uuid NOT NULL,
        name           text NOT NULL,
        due_at         timestamptz NOT NULL,
        correlation_id text NOT NULL,
        run            jsonb,
        epoch          bigint NOT NULL DEFAULT 0,
        worker         bigint,
        PRIMARY KEY (saga_id, name)
      ) WITH (fillfactor = 70)`)
    await runner.query(`CREATE INDEX saga_tasks_due ON saga_tasks (due_at)`)
    // What a dead worker holds is found among what is held: few rows, however many wait.
    await runner.query(`CREATE INDEX saga_tasks_held ON saga_tasks (worker) WHERE worker IS NOT NULL`)
    await runner.query(`CREATE TABLE saga_workers (id bigint PRIMARY KEY, alive_until timestamptz NOT NULL)`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE saga_workers, saga_tasks, saga_instances`)
    await runner.query(`DROP SEQUENCE saga_task_epoch`)
  }
}

/** An instance's row is written at each of its turns: as long as its status stays, no index need be. */
class UpdateInstancesInPlace1767225600310 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE saga_instances SET (fillfactor = 70)`)
    await runner.query(`DROP INDEX saga_instances_open`)
    await runner.query(`
      CREATE INDEX saga_instances_open ON saga_instances (id DESC) WHERE status NOT IN ('COMPLETED', 'COMPENSATED')`)
    await runner.query(saveSagas)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION save_sagas`)
    await runner.query(`DROP INDEX saga_instances_open`)
    await runner.query(`
      CREATE INDEX saga_instances_open ON saga_instances (updated_at) WHERE status NOT IN ('COMPLETED', 'COMPENSATED')`)
    await runner.query(`ALTER TABLE saga_instances RESET (fillfactor)`)
  }
}

export const sagaMigrations: readonly Migration[] = [CreateSagaTables1767225600300, UpdateInstancesInPlace1767225600310]
