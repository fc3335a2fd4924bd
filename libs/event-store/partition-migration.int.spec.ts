import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations } from '#event-store'
import { eventually } from '#kernel/testing'
import { createPool, migrate } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'

/** Its locks in the order in which the functions of that time took them. */
const APPEND_AS_BEFORE = `
CREATE FUNCTION append_as_before() RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  PERFORM pg_advisory_xact_lock(724211002, 'store'::regclass::oid::bigint::bit(32)::integer);
  UPDATE streams SET version = version + 1 WHERE stream_id = 'a';
  UPDATE store SET position = position + 1;
  INSERT INTO events (position, stream_id, version, type, schema_version, payload, metadata, hash, recorded_at)
  SELECT position, 'a', position, 'T', 1, '{}', '{}', '', 0 FROM store;
END
$function$`

describe('the migration of a store to partitions', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeEach(async () => {
    database = await createTestDatabase(eventStoreMigrations.slice(0, 3))
    pool = createPool(database)
  })
  afterEach(async () => {
    await pool.end()
    await database.drop()
  })
  const migrateNow = () => migrate({ url: database.url, schema: database.schema, migrations: eventStoreMigrations })

  it('waits in no circle with those who read and append, and refuses none of them', async () => {
    await pool.query(APPEND_AS_BEFORE)
    await pool.query(`INSERT INTO streams VALUES ('a', 'a', 0, '', 0)`)
    const reader = await pool.connect()
    await reader.query('BEGIN')
    await reader.query('SELECT FROM events LIMIT 1')
    const migrated = migrateNow()
    await eventually(
      'it waits for a lock',
      async () => {
        const { rowCount } = await pool.query(
          `SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        )
        return rowCount === 1
      },
      10_000,
    )
    // It had this table, and wants the one that the reader has.
    await reader.query('SELECT FROM streams LIMIT 1')
    let done = false
    const appending = (async () => {
      let count = 0
      for (; !done && count < 5_000; count++) await pool.query('SELECT append_as_before()')
      return count
    })()
    await reader.query('COMMIT')
    reader.release()
    expect(await migrated).toHaveLength(eventStoreMigrations.length - 3)
    done = true
    const appended = await appending
    expect(appended).toBeGreaterThan(0)
    expect((await pool.query('SELECT FROM events')).rowCount).toBe(appended)
    expect((await pool.query('SELECT FROM events_0')).rowCount).toBe(appended)
  })

  it('keeps what others may do: on the events, on some of their columns, and on the view of them', async () => {
    // Roles that are there in every server.
    await pool.query('GRANT SELECT, INSERT ON events TO pg_monitor WITH GRANT OPTION')
    await pool.query('GRANT SELECT (position, type) ON events TO PUBLIC')
    await pool.query('GRANT SELECT ON readable_events TO pg_monitor')
    const granted = async () =>
      (
        await pool.query(
          `SELECT table_name, NULL AS column_name, grantee, privilege_type, is_grantable FROM information_schema.table_privileges
          WHERE table_schema = $1 AND table_name IN ('events', 'readable_events')
          UNION ALL SELECT table_name, column_name, grantee, privilege_type, is_grantable FROM information_schema.column_privileges
          WHERE table_schema = $1 AND table_name = 'events' AND grantee = 'PUBLIC' ORDER BY 1, 2, 3, 4`,
          [database.schema],
        )
      ).rows
    const before = await granted()
    expect(before.filter(({ grantee }) => grantee === 'PUBLIC')).toHaveLength(2)
    expect(before.filter(({ grantee }) => grantee === 'pg_monitor')).toHaveLength(3)
    await migrateNow()
    expect(await granted()).toEqual(before)
  })
})
