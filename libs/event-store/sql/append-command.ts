/**
 * A lone command that appends one event, the first of its `slots`, to one stream that is there: a row of each table, without the arrays and sets of
 * a batch, which would cost more than the rows. Answers the position before its slots. NULL: nothing is written, because the id was answered
 * before, or the stream is no longer as it was decided on, or archived; `append_commands` finds out which.
 */
export const appendCommand = `
CREATE OR REPLACE FUNCTION append_command(
  p_command_id text, p_fingerprint text, p_answer bytea, p_stream_id text, p_base_version bigint, p_base_head bytea,
  p_type text, p_schema_version integer, p_payload bytea, p_metadata bytea, p_hash bytea, p_recorded_at bigint, p_slots integer, p_at bigint
) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off
AS $function$
DECLARE
  base bigint;
  room bigint;
BEGIN
  -- An expression and not a query: what follows takes its snapshots when the lock is held.
  IF pg_advisory_xact_lock(724211002, 'store'::regclass::oid::bigint::bit(32)::integer) IS NULL THEN END IF;

  UPDATE streams SET version = p_base_version + 1, head = p_hash, recorded_at = p_recorded_at
  WHERE stream_id = p_stream_id AND version = p_base_version AND head = p_base_head AND archive IS NULL
    AND NOT EXISTS (SELECT FROM commands WHERE command_id = p_command_id);
  IF NOT FOUND THEN RETURN NULL; END IF;

  UPDATE store SET position = position + p_slots RETURNING position - p_slots, partitioned_to INTO base, room;
  IF base + p_slots >= room THEN UPDATE store SET partitioned_to = add_partitions(base + 1, base + p_slots); END IF;
  INSERT INTO events (position, stream_id, version, type, schema_version, payload, metadata, hash, recorded_at)
  VALUES (base + 1, p_stream_id, p_base_version + 1, p_type, p_schema_version, p_payload, p_metadata, p_hash, p_recorded_at);
  IF p_answer IS NOT NULL THEN
    INSERT INTO commands (command_id, fingerprint, answer, recorded_at) VALUES (p_command_id, p_fingerprint, p_answer, p_at);
  END IF;
  RETURN base;
END
$function$`
