/** Where an event is kept: where it was written, or, once it was moved, where it was moved to. What partitions are bounded by. */
export const KEPT_AT = 'coalesce(moved_to, position)'

const COLUMNS = 'position, stream_id, version, type, schema_version, payload, metadata, hash, recorded_at'

/**
 * Makes the partitions that positions from \`first\` to \`last\` are kept in, where they are not there yet; answers where the last one ends. It holds up
 * neither reads nor appends: a table is attached, not made in place. What lies between the partitions before and \`first\` holds nothing. A transaction
 * that has read \`events\` may not see a partition attached after that, which is one more reason to make them long before they are written to.
 */
const addPartitions = `
CREATE FUNCTION add_partitions(first bigint, last bigint) RETURNS bigint LANGUAGE plpgsql AS $function$
DECLARE
  lower bigint;
  upper bigint;
  partition text;
BEGIN
  -- One at a time. The next statement's snapshot is newer than what whoever came before has committed.
  LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE;
  SELECT max(p.upto) INTO upper FROM partitions p;
  WHILE upper <= last LOOP
    lower := greatest(upper, first);
    SELECT lower + partition_size INTO upper FROM store;
    partition := 'events_' || lower;
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING ALL, PRIMARY KEY (position), UNIQUE (stream_id, version))', partition);
    EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', partition, lower, upper);
    INSERT INTO partitions (name, since, upto) VALUES (partition, lower, upper);
  END LOOP;
  RETURN upper;
END
$function$`

/** SQLSTATE of an archive that does not hold a stream as its row says. */
export const ARCHIVE_UNSOUND = 'BA001'

/**
 * Brings an archived stream back: its events go from its archive to the partition of today, at the positions that they always had, in one transaction
 * that appends do not wait for. A stream that is not archived stays as it is. Answers the name of the archive where that is not in this database.
 * Where the caller's transaction goes on and will append, it takes the store's lock first, as any who has it may come to wait for this stream.
 * An archive that was put back may be an older dump, or loaded twice: what comes back must be each version once, end in the stream's head, and
 * be nowhere else; keys are each partition's own and would not see it.
 * A commit is seen before other sessions are told what tables it made: where an append had to make the partition of today itself, this may find no
 * partition for a moment. It fails as what may be done again.
 */
export const restoreStream = `
CREATE OR REPLACE FUNCTION restore_stream(restored text, in_transaction boolean) RETURNS text LANGUAGE plpgsql AS $function$
DECLARE
  home text;
  here bigint;
  ends bigint;
  last bytea;
  sound boolean;
BEGIN
  IF in_transaction THEN PERFORM pg_advisory_xact_lock(724211002, 'store'::regclass::oid::bigint::bit(32)::integer); END IF;
  -- Whoever archives takes it alone for a moment once a partition is no longer today's, so that nothing comes into that one afterwards.
  PERFORM pg_advisory_xact_lock_shared(724211003, 'store'::regclass::oid::bigint::bit(32)::integer);
  SELECT s.archive, s.version, s.head INTO home, ends, last FROM streams s WHERE s.stream_id = restored FOR UPDATE;
  IF home IS NULL THEN RETURN NULL; END IF;
  IF to_regclass(quote_ident(home)) IS NULL THEN RETURN home; END IF;
  EXECUTE format('SELECT count(*) = $2 AND count(DISTINCT version) = $2 AND max(version) = $2 AND bool_or(version = $2 AND hash = $3)
    FROM %I WHERE stream_id = $1', home) INTO sound USING restored, ends, last;
  -- While it is a partition still, what it holds is in events too.
  IF sound IS NOT TRUE OR (NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(quote_ident(home)))
    AND EXISTS (SELECT FROM events WHERE stream_id = restored)) THEN
    RAISE EXCEPTION USING ERRCODE = '${ARCHIVE_UNSOUND}', MESSAGE = format('%s is not in the archive %s as it was archived', restored, home);
  END IF;
  SELECT s.position INTO here FROM store s;
  BEGIN
    EXECUTE format('WITH gone AS (DELETE FROM %I WHERE stream_id = $1 RETURNING *)
      INSERT INTO events (${COLUMNS}, moved_to) SELECT ${COLUMNS}, $2 FROM gone', home) USING restored, here;
  EXCEPTION WHEN check_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = format('the partition of position %s is not known yet', here);
  END;
  UPDATE streams SET archive = NULL, since = here WHERE stream_id = restored;
  RETURN NULL;
END
$function$`

/**
 * Before anything is changed, all that it takes: the store's lock first, as who appends does, so that none is under way; then the tables. Readers take
 * those in any order, and one that had a table and wanted another would wait in a circle with it: it gives up what it has before the server looks for
 * such circles (`deadlock_timeout`, 1 s, for five locks), and asks again, for some two minutes.
 */
const lockStore = `
DO $$ BEGIN
  FOR attempt IN 1..120 LOOP
    BEGIN
      SET LOCAL lock_timeout = '100ms';
      PERFORM pg_advisory_xact_lock(724211002, 'store'::regclass::oid::bigint::bit(32)::integer);
      LOCK TABLE store, streams, readable_events, events IN ACCESS EXCLUSIVE MODE;
      SET LOCAL lock_timeout = 0;
      RETURN;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 120 THEN RAISE; END IF;
      PERFORM pg_sleep(0.4 + random() * 0.8);
    END;
  END LOOP;
END $$`

/** Who may read or write the one table may do so with all partitions; of a partition alone nobody need know. */
const carryGrants = `
DO $$ DECLARE given record; BEGIN
  FOR given IN
    SELECT 'GRANT ' || a.privilege_type || coalesce('(' || quote_ident(a.attname) || ')', '') || ' ON events TO '
      || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
      || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS statement
    FROM (
      SELECT NULL AS attname, g.* FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = 'events_0'::regclass AND g.grantee <> c.relowner
      UNION ALL
      SELECT t.attname, g.* FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) g
      WHERE c.oid = 'events_0'::regclass AND g.grantee <> c.relowner
    ) a
  LOOP
    EXECUTE given.statement;
  END LOOP;
END $$`

/**
 * From one table to partitions. What is there becomes the first partition as it is: no row is rewritten, though attaching it reads it once.
 * Unique keys are each partition's own, since one over all would have to hold the partition key; over all, the store's lock and the stream's row see to it.
 */
export const partitionEvents = [
  lockStore,
  // From `partitioned_to` on there are no partitions yet.
  `ALTER TABLE store ADD COLUMN partitioned_to bigint NOT NULL DEFAULT 0, ADD COLUMN partition_size bigint NOT NULL DEFAULT 5000000 CHECK (partition_size > 0)`,
  // Where the stream's events are kept: not before `since`, which spares a reader the older partitions; all in \`archive\` where that is said.
  `ALTER TABLE streams ADD COLUMN since bigint NOT NULL DEFAULT 0, ADD COLUMN archive text COLLATE "C"`,
  'ALTER TABLE events RENAME TO events_0',
  'ALTER TABLE events_0 RENAME CONSTRAINT events_pkey TO events_0_pkey',
  'ALTER TABLE events_0 RENAME CONSTRAINT events_stream_id_version_key TO events_0_stream_id_version_key',
  'ALTER TABLE events_0 ADD COLUMN moved_to bigint',
  `CREATE TABLE events (LIKE events_0 INCLUDING DEFAULTS INCLUDING STORAGE) PARTITION BY RANGE ((${KEPT_AT}))`,
  carryGrants,
  // Those of `events`, and with a time the archives: detached, whole, and in this database only as long as somebody keeps them there.
  `CREATE TABLE partitions (
    name text COLLATE "C" PRIMARY KEY,
    since bigint NOT NULL,
    upto bigint NOT NULL,
    archived_at bigint
  )`,
  `DO $$ DECLARE upto bigint; BEGIN
    UPDATE store SET partitioned_to = position + partition_size RETURNING partitioned_to INTO upto;
    EXECUTE format('ALTER TABLE events ATTACH PARTITION events_0 FOR VALUES FROM (0) TO (%s)', upto);
    INSERT INTO partitions (name, since, upto) VALUES ('events_0', 0, upto);
  END $$`,
  // In its place, with what is granted on it.
  `CREATE OR REPLACE VIEW readable_events AS
    SELECT position, stream_id, version, type, schema_version, convert_from(payload, 'UTF8')::jsonb AS data,
      convert_from(metadata, 'UTF8')::jsonb AS metadata, encode(hash, 'hex') AS hash, to_timestamp(recorded_at / 1000.0) AS recorded_at
    FROM events`,
  addPartitions,
  restoreStream,
]
