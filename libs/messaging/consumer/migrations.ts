import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

const TABLES = [
  `CREATE TABLE consumer_offset (
    "group" text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next bigint NOT NULL,
    -- [[source, incarnation, position, ordinal], ...]: what is not above is a repeat
    marks text NOT NULL DEFAULT '[]',
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY ("group", topic, partition)
  ) WITH (fillfactor = 20)`,
  `CREATE TABLE deferred (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "group" text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key text NOT NULL,
    headers text NOT NULL,
    value bytea NOT NULL,
    recorded_at_ms bigint NOT NULL,
    attempts int NOT NULL,
    failure text,
    due_ms bigint NOT NULL,
    redriven boolean NOT NULL DEFAULT false,
    -- A log that was made anew counts its offsets anew: with its time a record is known from another at the same place.
    UNIQUE ("group", topic, partition, "offset", recorded_at_ms)
  )`,
  `CREATE INDEX deferred_key ON deferred ("group", topic, partition, redriven, key, id)`,
  `CREATE TABLE dead_letter (
    id text PRIMARY KEY,
    "group" text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key text NOT NULL,
    headers text NOT NULL,
    value bytea NOT NULL,
    recorded_at_ms bigint NOT NULL,
    attempts int NOT NULL,
    failure text NOT NULL,
    parked_at_ms bigint NOT NULL,
    state text NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'redriven', 'recovered')),
    -- who sent it back last
    redriven_by text,
    changed_at_ms bigint NOT NULL,
    revision int NOT NULL DEFAULT 1,
    published boolean NOT NULL DEFAULT false
  )`,
  `CREATE INDEX dead_letter_unpublished ON dead_letter ("group", changed_at_ms) WHERE NOT published`,
  `CREATE INDEX dead_letter_parked ON dead_letter ("group", topic, partition) WHERE state = 'parked'`,
]

class CreateConsumer1763800000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const sql of TABLES) await runner.query(sql)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE dead_letter, deferred, consumer_offset')
  }
}

/** The column may be null: of what was read before it is not known. */
class RememberLastRecord1790000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE consumer_offset ADD last text')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE consumer_offset DROP last')
  }
}

/** `log` may be null: of what was read before it is not known. `leaving`: the group is being moved to another log. */
class RememberLogOfGroup1790000000060 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE consumer_offset ADD log text, ADD leaving boolean NOT NULL DEFAULT false')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE consumer_offset DROP log, DROP leaving')
  }
}

/** By which the ones that are to be forgotten are found, of which there are mostly none. */
class FindRecovered1790000000080 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX dead_letter_recovered ON dead_letter ("group", changed_at_ms) WHERE state = 'recovered' AND published`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX dead_letter_recovered')
  }
}

/** What a consuming app needs in its own schema. */
export const messagingMigrations: readonly Migration[] = [
  CreateConsumer1763800000002,
  RememberLastRecord1790000000030,
  RememberLogOfGroup1790000000060,
  FindRecovered1790000000080,
]
