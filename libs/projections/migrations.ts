import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

/** How far each stream was applied. Both texts compare by bytes, as the code does. Room in each page keeps updates off the index (HOT). */
class CreateAppliedVersions1764000000100 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query(`
      CREATE TABLE applied_versions (
        stream text COLLATE "C" PRIMARY KEY,
        incarnation text COLLATE "C" NOT NULL,
        version bigint NOT NULL
      ) WITH (fillfactor = 80)`)
  }
  async down(runner: QueryRunner) {
    await runner.query('DROP TABLE applied_versions')
  }
}

/** For the schema of each app that has read models. */
export const projectionsMigrations: readonly Migration[] = [CreateAppliedVersions1764000000100]
