import type { Migration } from '#postgres'
import type { MigrationInterface, QueryRunner } from 'typeorm'

const TABLES = `
CREATE TABLE topic (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
  partitions int NOT NULL CHECK (partitions BETWEEN 1 AND 1000),
  retention_ms bigint NOT NULL,
  compacted boolean NOT NULL DEFAULT false
);

-- next counts densely: its row lock is held until the records are committed, so a reader never sees a gap.
CREATE TABLE partition (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic_id int NOT NULL REFERENCES topic,
  number int NOT NULL,
  first bigint NOT NULL DEFAULT 0,
  next bigint NOT NULL DEFAULT 0,
  -- Of a compacted topic: up to where each key has one record, and how many those are.
  compacted_to bigint NOT NULL DEFAULT 0,
  compacted_records bigint NOT NULL DEFAULT 0,
  UNIQUE (topic_id, number)
) WITH (fillfactor = 20);

CREATE TABLE record (
  partition_id int NOT NULL,
  "offset" bigint NOT NULL,
  recorded_at_ms bigint NOT NULL,
  key text NOT NULL,
  headers text NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY (partition_id, "offset")
) WITH (autovacuum_vacuum_insert_scale_factor = 0.5);

CREATE TABLE member (
  "group" text NOT NULL,
  member text NOT NULL,
  -- the process, as it calls itself
  hub text NOT NULL,
  topics text[] NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY ("group", member)
) WITH (fillfactor = 20);

CREATE TABLE lease (
  "group" text NOT NULL,
  partition_id int NOT NULL REFERENCES partition,
  epoch bigint NOT NULL DEFAULT 0,
  member text,
  -- What the member tells of itself, for operators.
  next bigint,
  deferred int NOT NULL DEFAULT 0,
  parked int NOT NULL DEFAULT 0,
  gap text,
  told_at timestamptz,
  PRIMARY KEY ("group", partition_id)
) WITH (fillfactor = 50);
`

const ENSURE_TOPIC = `
CREATE FUNCTION ensure_topic(p_name text, p_partitions int, p_retention_ms bigint, p_compacted boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  t topic;
BEGIN
  INSERT INTO topic (name, partitions, retention_ms, compacted) VALUES (p_name, p_partitions, p_retention_ms, p_compacted)
  ON CONFLICT (name) DO UPDATE
    SET partitions = greatest(topic.partitions, excluded.partitions), retention_ms = excluded.retention_ms, compacted = excluded.compacted
  RETURNING * INTO t;
  INSERT INTO partition (topic_id, number) SELECT t.id, n FROM generate_series(0, t.partitions - 1) n ON CONFLICT DO NOTHING;
END $$;
`

/**
 * Records come packed: one bytea of headers and values, cut here by lengths, because arrays of bytea travel as escaped text.
 * The partitions' rows are locked in the order of `p_partitions`, which every caller sorts: no deadlock.
 */
const APPEND = `
CREATE FUNCTION append(
  p_partitions int[], p_counts int[],
  p_partition int[], p_rank int[], p_keys text[], p_starts int[], p_headers int[], p_values int[], p_body bytea
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  bases bigint[] := '{}';
  base bigint;
  now_ms bigint;
BEGIN
  FOR i IN 1 .. cardinality(p_partitions) LOOP
    UPDATE partition SET next = next + p_counts[i] WHERE id = p_partitions[i] RETURNING next - p_counts[i] INTO base;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'no partition %', p_partitions[i];
    END IF;
    bases := bases || base;
  END LOOP;
  now_ms := extract(epoch FROM clock_timestamp()) * 1000;
  INSERT INTO record (partition_id, "offset", recorded_at_ms, key, headers, value)
  SELECT p_partitions[r.p], bases[r.p] + r.rank, now_ms, r.key,
    convert_from(substring(p_body FROM r.start FOR r.headers), 'UTF8'), substring(p_body FROM r.start + r.headers FOR r.value)
  FROM unnest(p_partition, p_rank, p_keys, p_starts, p_headers, p_values) AS r (p, rank, key, start, headers, value);
  RETURN bases || now_ms;
END $$;
`

/**
 * A member's heartbeat, and the whole of rebalancing: every member computes the same fair count per topic, claims free partitions up to it,
 * and is told which of its own are surplus. Beats of one group run one after another. Nothing here must survive a crash of the server.
 */
const BEAT = `
CREATE FUNCTION beat(p_group text, p_member text, p_hub text, p_topics text[], p_ttl_ms int)
RETURNS TABLE (partition_id int, epoch bigint, surplus boolean, topic text, number int, "next" bigint, alone boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM pg_advisory_xact_lock(hashtextextended(p_group, 724211002));
  INSERT INTO member ("group", member, hub, topics, expires_at)
  VALUES (p_group, p_member, p_hub, p_topics, clock_timestamp() + p_ttl_ms * interval '1 ms')
  ON CONFLICT ("group", member) DO UPDATE SET topics = excluded.topics, expires_at = excluded.expires_at;
  DELETE FROM member WHERE "group" = p_group AND expires_at < clock_timestamp();
  INSERT INTO lease ("group", partition_id)
  SELECT p_group, p.id FROM partition p JOIN topic t ON t.id = p.topic_id WHERE t.name = ANY (p_topics)
  EXCEPT SELECT "group", partition_id FROM lease WHERE "group" = p_group;

  WITH free AS (
    SELECT l.partition_id, p.topic_id, p.number FROM lease l JOIN partition p ON p.id = l.partition_id
    WHERE l."group" = p_group AND (l.member IS NULL OR l.member NOT IN (SELECT m.member FROM member m WHERE m."group" = p_group))
  ), room AS (
    SELECT w.topic_id, w.wanted - count(l.partition_id) AS room
    FROM wanted(p_group, p_member) w
    LEFT JOIN (lease l JOIN partition p ON p.id = l.partition_id) ON p.topic_id = w.topic_id AND l."group" = p_group AND l.member = p_member
    GROUP BY w.topic_id, w.wanted
  ), claimed AS (
    SELECT f.partition_id, row_number() OVER (PARTITION BY f.topic_id ORDER BY f.number) AS n, r.room FROM free f JOIN room r USING (topic_id)
  )
  UPDATE lease l SET member = p_member, epoch = l.epoch + 1
  FROM claimed c WHERE l."group" = p_group AND l.partition_id = c.partition_id AND c.n <= c.room;

  RETURN QUERY
  SELECT l.partition_id, l.epoch, row_number() OVER (PARTITION BY p.topic_id ORDER BY p.number) > coalesce(w.wanted, 0), t.name, p.number, p.next,
    NOT EXISTS (SELECT FROM member m WHERE m.hub <> p_hub AND m.expires_at > clock_timestamp())
  FROM lease l JOIN partition p ON p.id = l.partition_id JOIN topic t ON t.id = p.topic_id
  LEFT JOIN wanted(p_group, p_member) w ON w.topic_id = p.topic_id
  WHERE l."group" = p_group AND l.member = p_member;
END $$;
`

/** Those with one more than the others are other members for each topic, so that many small topics even out. */
const WANTED = `
CREATE FUNCTION wanted(p_group text, p_member text) RETURNS TABLE (topic_id int, wanted bigint) LANGUAGE sql STABLE AS $$
  WITH live AS (
    SELECT t.id, t.partitions, m.member,
      row_number() OVER (PARTITION BY t.id ORDER BY m.member) - 1 AS rank, count(*) OVER (PARTITION BY t.id) AS members
    FROM member m JOIN topic t ON t.name = ANY (m.topics) WHERE m."group" = p_group
  )
  SELECT id, partitions / members + CASE WHEN (rank + id) % members < partitions % members THEN 1 ELSE 0 END FROM live WHERE member = p_member
$$;
`

const LEAVE = `
CREATE FUNCTION release(p_group text, p_member text, p_partitions int[], p_leave boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM pg_advisory_xact_lock(hashtextextended(p_group, 724211002));
  UPDATE lease SET member = NULL WHERE "group" = p_group AND member = p_member AND (p_leave OR partition_id = ANY (p_partitions));
  IF p_leave THEN
    DELETE FROM member WHERE "group" = p_group AND member = p_member;
    -- A group that never told where it stands keeps no place: a client that waited for answers leaves nothing behind.
    DELETE FROM lease WHERE "group" = p_group AND told_at IS NULL AND NOT EXISTS (SELECT FROM member m WHERE m."group" = p_group);
  END IF;
END $$;
`

/** Told every few seconds; what is lost in a crash of the server is told again. */
const TELL = `
CREATE FUNCTION tell(p_group text, p_member text, p_partitions int[], p_next bigint[], p_deferred int[], p_parked int[], p_gap text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE lease l SET next = s.next, deferred = s.deferred, parked = s.parked, gap = s.gap, told_at = clock_timestamp()
  FROM unnest(p_partitions, p_next, p_deferred, p_parked, p_gap) AS s (id, next, deferred, parked, gap)
  WHERE l."group" = p_group AND l.partition_id = s.id AND l.member = p_member;
END $$;
`

/** Removes up to `p_limit` outdated records of one partition; answers how many. Offsets grow with time, so the oldest are at the front. */
const RETAIN = `
CREATE FUNCTION retain(p_limit int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  p record;
  upto bigint;
  removed bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(724211003) THEN
    RETURN 0;
  END IF;
  FOR p IN
    SELECT q.id, q.first, extract(epoch FROM clock_timestamp()) * 1000 - t.retention_ms AS before_ms
    FROM partition q JOIN topic t ON t.id = q.topic_id WHERE NOT t.compacted AND q.first < q.next ORDER BY q.id
  LOOP
    SELECT max(o."offset") + 1 INTO upto FROM (
      SELECT r."offset", r.recorded_at_ms FROM record r WHERE r.partition_id = p.id AND r."offset" >= p.first ORDER BY r."offset" LIMIT p_limit
    ) o WHERE o.recorded_at_ms < p.before_ms;
    IF upto IS NOT NULL THEN
      DELETE FROM record r WHERE r.partition_id = p.id AND r."offset" < upto;
      GET DIAGNOSTICS removed = ROW_COUNT;
      UPDATE partition SET first = upto WHERE id = p.id;
      RETURN removed;
    END IF;
  END LOOP;
  RETURN 0;
END $$;
`

/**
 * Leaves only the newest record of each key in one partition of a compacted topic; answers how many it removed. Only once a third of the
 * partition is new: reading it all again costs no more than what was written meanwhile. `first` stays: nothing that counts is missing.
 */
const COMPACT = `
CREATE FUNCTION compact(p_least int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  p record;
  removed bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(724211003) THEN
    RETURN 0;
  END IF;
  SELECT q.id, q.next INTO p FROM partition q JOIN topic t ON t.id = q.topic_id
  WHERE t.compacted AND q.next - q.compacted_to >= greatest(p_least, q.compacted_records / 2) ORDER BY q.next - q.compacted_to DESC LIMIT 1;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  DELETE FROM record r USING (
    SELECT key, max("offset") AS newest FROM record WHERE partition_id = p.id AND "offset" < p.next GROUP BY key
  ) k WHERE r.partition_id = p.id AND r.key = k.key AND r."offset" < k.newest;
  GET DIAGNOSTICS removed = ROW_COUNT;
  UPDATE partition SET compacted_to = p.next,
    compacted_records = (SELECT count(*) FROM record WHERE partition_id = p.id AND "offset" < p.next) WHERE id = p.id;
  RETURN removed;
END $$;
`

class CreateLog1763800000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const sql of [TABLES, ENSURE_TOPIC, APPEND, WANTED, BEAT, LEAVE, TELL, RETAIN, COMPACT]) await runner.query(sql)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION compact, retain, tell, release, beat, wanted, append, ensure_topic')
    await runner.query('DROP TABLE lease, member, record, partition, topic')
  }
}

/** A process of an older version tells no breaker. */
const TELL_BREAKER = `
CREATE FUNCTION tell(p_group text, p_member text, p_partitions int[], p_next bigint[], p_deferred int[], p_parked int[], p_gap text[],
  p_breaker text[] DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE lease l SET next = s.next, deferred = s.deferred, parked = s.parked, gap = s.gap, breaker = s.breaker, told_at = clock_timestamp()
  FROM unnest(p_partitions, p_next, p_deferred, p_parked, p_gap, p_breaker) AS s (id, next, deferred, parked, gap, breaker)
  WHERE l."group" = p_group AND l.partition_id = s.id AND l.member = p_member;
END $$;
`

class TellBreaker1790000000031 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE lease ADD breaker text')
    await runner.query('DROP FUNCTION tell')
    await runner.query(TELL_BREAKER)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION tell')
    await runner.query('ALTER TABLE lease DROP breaker')
    await runner.query(TELL)
  }
}

/** The log's own schema, by convention `log`. */
export const logMigrations: readonly Migration[] = [CreateLog1763800000001, TellBreaker1790000000031]

/** What a role needs that sends or consumes; run by the owner of the schema after the migrations. */
export const logGrants = (role: string, schema = 'log'): readonly string[] => {
  for (const name of [role, schema])
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) throw new Error(`not a plain SQL identifier: ${JSON.stringify(name)}`)
  return [
    `GRANT USAGE ON SCHEMA ${schema} TO ${role}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ${['topic', 'partition', 'record', 'member', 'lease'].map((table) => `${schema}.${table}`).join(', ')} TO ${role}`,
  ]
}
