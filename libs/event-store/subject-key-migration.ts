import { checkedIdentifier, type Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

/** The schema of the keys, apart from the apps': erasing a person is one row's update, wherever the person's data went. */
export const SUBJECT_KEYS_SCHEMA = 'keys'

/** A row stays when its key is destroyed, so that none is made anew. */
const TABLE = `
CREATE TABLE subject_keys (
  subject text COLLATE "C" PRIMARY KEY,
  wrapped_key bytea,
  master_key_id text COLLATE "C",
  created_at timestamptz NOT NULL DEFAULT now(),
  destroyed_at timestamptz,
  CHECK ((wrapped_key IS NULL) = (destroyed_at IS NOT NULL)),
  CHECK ((wrapped_key IS NULL) = (master_key_id IS NULL))
)`

class CreateSubjectKeys1790000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLE)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE subject_keys')
  }
}

export const subjectKeyMigrations: readonly Migration[] = [CreateSubjectKeys1790000000001]

const PRIVILEGES = { read: 'SELECT', create: 'SELECT, INSERT', write: 'SELECT, INSERT, UPDATE' } as const

/** What the role of an app may do with the keys, run by the owner of the schema: `create` makes some and destroys none, `read` neither. */
export const subjectKeyGrants = (role: string, may: keyof typeof PRIVILEGES, schema = SUBJECT_KEYS_SCHEMA): readonly string[] => [
  `GRANT USAGE ON SCHEMA ${checkedIdentifier(schema)} TO ${checkedIdentifier(role)}`,
  `GRANT ${PRIVILEGES[may]} ON ${schema}.subject_keys TO ${role}`,
]
