import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

class DevIssuerKey1763800000000 implements MigrationInterface {
  readonly name = 'DevIssuerKey1763800000000'

  async up(runner: QueryRunner): Promise<void> {
    // One row: the key in use.
    await runner.query(`
      CREATE TABLE dev_issuer_key (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        kid text NOT NULL,
        private_jwk jsonb NOT NULL,
        public_jwk jsonb NOT NULL
      )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE dev_issuer_key')
  }
}

/** For the app that mounts `DevIssuerModule`. */
export const devIssuerMigrations: readonly Migration[] = [DevIssuerKey1763800000000]
