import type { MigrationInterface, QueryRunner } from 'typeorm'

/** `key` and `error` are of messages between apps, which carry no personal data in the open. */
export class CreateOperations1764000000300 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query(`
      CREATE TABLE dead_letters (
        id text COLLATE "C" PRIMARY KEY,
        "group" text NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        "offset" bigint NOT NULL,
        key text NOT NULL,
        message_id text NOT NULL,
        type text NOT NULL,
        source text NOT NULL,
        error_class text NOT NULL,
        error text NOT NULL,
        stack_hash text NOT NULL,
        attempts int NOT NULL,
        parked_at timestamptz(3) NOT NULL,
        correlation_id text NOT NULL,
        traceparent text,
        status text NOT NULL,
        revision int NOT NULL,
        -- the revision that was last asked to be redriven: a filter passes it over until it is parked again
        asked_revision int
      ) WITH (fillfactor = 80)`)
    await runner.query('CREATE INDEX dead_letters_by_time ON dead_letters (status, parked_at DESC, id DESC)')
    await runner.query(`
      CREATE TABLE dead_letter_history (
        id text COLLATE "C",
        revision int,
        at timestamptz(3) NOT NULL,
        type text NOT NULL,
        by text,
        error_class text,
        attempts int,
        PRIMARY KEY (id, revision)
      )`)
    // Who asked for what, for good; and for a day what a repeat of the request is answered.
    await runner.query(`
      CREATE TABLE redrives (
        redrive_id text PRIMARY KEY,
        command_id text NOT NULL,
        fingerprint text NOT NULL,
        by text NOT NULL,
        reason text,
        at timestamptz(3) NOT NULL,
        filter text NOT NULL,
        letters text[] NOT NULL,
        answer text NOT NULL
      )`)
    await runner.query('CREATE INDEX redrives_of_command ON redrives (command_id, at)')
    await runner.query('CREATE INDEX redrives_of_letter ON redrives USING gin (letters)')
  }
  async down(runner: QueryRunner) {
    await runner.query('DROP TABLE dead_letters, dead_letter_history, redrives')
  }
}

/** What a repeat of a request is answered is kept with its command, in the event store. */
export class LeaveAnswersToTheStore1764000000500 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query('DROP INDEX redrives_of_command')
    await runner.query('ALTER TABLE redrives DROP COLUMN fingerprint, DROP COLUMN answer')
  }
  /** Without a fingerprint no repeat is known again. */
  async down(runner: QueryRunner) {
    await runner.query(`ALTER TABLE redrives ADD COLUMN fingerprint text NOT NULL DEFAULT '', ADD COLUMN answer text NOT NULL DEFAULT ''`)
    await runner.query('CREATE INDEX redrives_of_command ON redrives (command_id, at)')
  }
}

/** What was written stays: whoever would change or remove a row, an app with a fault in it, is refused. The chain is where it was recorded. */
export class CreateAudit1764000000400 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query(`
      CREATE TABLE audit (
        id text COLLATE "C" PRIMARY KEY,
        app text NOT NULL,
        actor text COLLATE "C" NOT NULL,
        roles text[] NOT NULL,
        action text NOT NULL,
        path text COLLATE "C" NOT NULL,
        status int NOT NULL,
        refused text,
        reason text,
        correlation_id text NOT NULL,
        command_id text NOT NULL,
        at timestamptz(3) NOT NULL
      )`)
    await runner.query('CREATE INDEX audit_by_time ON audit (at DESC, id DESC)')
    await runner.query('CREATE INDEX audit_by_actor ON audit (actor, at DESC, id DESC)')
    await runner.query('CREATE INDEX audit_by_path ON audit (path, at DESC, id DESC)')
    await runner.query(`
      CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'the audit trail is only added to'; END $$`)
    await runner.query(
      'CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()',
    )
  }
  async down(runner: QueryRunner) {
    await runner.query('DROP TABLE audit')
    await runner.query('DROP FUNCTION audit_stays')
  }
}
