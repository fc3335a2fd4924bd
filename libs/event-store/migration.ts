import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import { appendCommand } from './sql/append-command.js'
import { appendCommands } from './sql/append-commands.js'
import { loadStreams } from './sql/load-streams.js'
import { partitionEvents, restoreStream } from './sql/partitions.js'
import { tables } from './sql/tables.js'

class CreateEventStore1790000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...tables, appendCommands, loadStreams]) await runner.query(statement)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION load_streams, append_commands')
    await runner.query('DROP FUNCTION IF EXISTS append_command')
    await runner.query('DROP VIEW readable_events')
    await runner.query('DROP TABLE store, streams, events, commands, snapshots, outbox, relay')
  }
}

/** Commands whose answers are not kept. */
class KeepNoAnswer1790000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(appendCommands)
  }

  /** The function before it served the same callers but for those that this one is for. */
  async down(): Promise<void> {}
}

/** A function for lone commands, and a stream's events in runs. */
class LoneCommandsAndRuns1790000000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [appendCommand, appendCommands, loadStreams]) await runner.query(statement)
  }

  /** `append_commands` goes on calling it. */
  async down(): Promise<void> {}
}

/** Events in partitions; closed streams are archived out of them. */
class PartitionEvents1790000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...partitionEvents, appendCommand, appendCommands, loadStreams]) await runner.query(statement)
  }

  down(): Promise<void> {
    return Promise.reject(new Error('what was archived since cannot be put back into one table: restore a backup'))
  }
}

/** What was swept before this was noted is not known: all that the relay had passed may have been. */
class NoteWhatIsSwept1790000000040 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE relay ADD COLUMN swept bigint NOT NULL DEFAULT 0')
    await runner.query('UPDATE relay SET swept = position')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE relay DROP COLUMN swept')
  }
}

/** Null: nothing was published yet by a relay that says where to. */
class RememberLogOfStore1790000000050 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE relay ADD log text, ADD held_at bigint')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE relay DROP log, DROP held_at')
  }
}

/** What comes back from an archive is held to the stream's row. */
class HoldArchivesToTheirStreams1790000000060 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(restoreStream)
  }

  /** The function before it served the same callers. */
  async down(): Promise<void> {}
}

/** What comes back when the partition of today was made just now asks to be done again. */
class RestoreBesideNewPartitions1790000000070 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(restoreStream)
  }

  /** The function before it served the same callers. */
  async down(): Promise<void> {}
}

export const eventStoreMigrations: readonly Migration[] = [
  CreateEventStore1790000000000,
  KeepNoAnswer1790000000010,
  LoneCommandsAndRuns1790000000020,
  PartitionEvents1790000000030,
  NoteWhatIsSwept1790000000040,
  RememberLogOfStore1790000000050,
  HoldArchivesToTheirStreams1790000000060,
  RestoreBesideNewPartitions1790000000070,
]
