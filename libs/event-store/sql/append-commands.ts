/**
 * A batch of decided commands, in one trip. Parallel arrays; a command is named by its ordinal in the batch, a stream by its index.
 *
 * Under the store's lock, so that position order is commit order: finds which command ids were answered before, and which streams are no
 * longer as they were decided on (version and head hash). Where nothing is amiss everything is written, set by set. Otherwise the
 * commands are walked in order: one whose id is known is answered as before, one that built on a changed stream, or on what a command
 * dropped earlier would have appended, is refused; the others commit. For each stream involved in that, the tail after the version decided on comes back.
 *
 * A command without an answer keeps none: its `decide` threw, and the question is only whether it did so on the newest state, or it is `unkept`.
 *
 * Rows answered: 1 answered before (ordinal; fingerprint in r_type, answer in r_bytes), 2 refused (ordinal), 3 a changed stream (index, version,
 * head, time; r_type 'prefix' when what was decided on is a prefix of its history, 'archived' when it must first be brought back), 4 an event of its tail. None: all is written.
 *
 * The settings: the generic plans serve any batch (planning anew costs more than running), and batches look rows up by key however small a
 * table's statistics say it is.
 */
export const appendCommands = `
CREATE OR REPLACE FUNCTION append_commands(
  command_ids text[], fingerprints text[], answers bytea[],
  stream_ids text[], categories text[], base_versions bigint[], base_heads bytea[],
  next_versions bigint[], next_heads bytea[], next_times bigint[],
  guard_commands integer[], guard_streams integer[], guard_appends boolean[],
  event_commands integer[], event_slots integer[], event_streams text[], event_versions bigint[], event_types text[],
  event_schemas integer[], event_payloads bytea[], event_metadatas bytea[], event_hashes bytea[], event_times bigint[],
  message_commands integer[], message_slots integer[], message_ordinals integer[], message_topics text[], message_keys text[],
  message_types text[], message_schemas integer[], message_ids text[], message_payloads bytea[], message_contexts bytea[],
  slots integer, at bigint
) RETURNS TABLE (r_kind integer, r_ordinal integer, r_version bigint, r_type text, r_bytes bytea, r_hash bytea, r_time bigint, r_schema integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $function$
DECLARE
  is_changed boolean[];
  is_repeated boolean[];
  accepted boolean[];
  all_accepted boolean;
  base bigint;
  room bigint;
  guard integer := 1;
  guards integer := cardinality(guard_commands);
  first_guard integer;
BEGIN
  -- An expression and not a query: what follows takes its snapshots when the lock is held.
  IF pg_advisory_xact_lock(724211002, 'store'::regclass::oid::bigint::bit(32)::integer) IS NULL THEN END IF;

  -- The commonest call of all, a lone command that appends one event to one stream. Where it does not apply it has changed nothing, and the
  -- sets below find out why.
  IF cardinality(command_ids) = 1 AND cardinality(stream_ids) = 1 AND cardinality(event_slots) = 1 AND base_versions[1] > 0 THEN
    base := append_command(command_ids[1], fingerprints[1], answers[1], stream_ids[1], base_versions[1], base_heads[1], event_types[1],
      event_schemas[1], event_payloads[1], event_metadatas[1], event_hashes[1], event_times[1], slots, at);
    IF base IS NOT NULL THEN
      IF cardinality(message_slots) > 0 THEN
        INSERT INTO outbox (position, ordinal, topic, key, type, schema_version, message_id, payload, context, recorded_at)
        SELECT base + u.slot, u.ordinal, u.topic, u.key, u.type, u.schema_version, u.message_id, u.payload, u.context, at
        FROM unnest(message_slots, message_ordinals, message_topics, message_keys, message_types, message_schemas, message_ids,
          message_payloads, message_contexts) AS u (slot, ordinal, topic, key, type, schema_version, message_id, payload, context);
      END IF;
      RETURN;
    END IF;
  END IF;

  all_accepted := NOT EXISTS (
    SELECT FROM unnest(stream_ids, base_versions, base_heads) AS u (stream_id, version, head)
    LEFT JOIN streams s ON s.stream_id = u.stream_id
    WHERE s.version IS DISTINCT FROM nullif(u.version, 0) OR coalesce(s.head, '') <> u.head OR s.archive IS NOT NULL
    UNION ALL
    SELECT FROM unnest(command_ids) AS u (command_id) JOIN commands c ON c.command_id = u.command_id
  );

  IF NOT all_accepted THEN
    SELECT array_agg(s.version IS DISTINCT FROM nullif(u.version, 0) OR coalesce(s.head, '') <> u.head OR s.archive IS NOT NULL ORDER BY u.i)
    INTO is_changed
    FROM unnest(stream_ids, base_versions, base_heads) WITH ORDINALITY AS u (stream_id, version, head, i)
    LEFT JOIN streams s ON s.stream_id = u.stream_id;

    SELECT array_agg(c.command_id IS NOT NULL ORDER BY u.i) INTO is_repeated
    FROM unnest(command_ids) WITH ORDINALITY AS u (command_id, i)
    LEFT JOIN commands c ON c.command_id = u.command_id;

    accepted := array_fill(true, ARRAY[cardinality(command_ids)]);
    FOR i IN 1..cardinality(command_ids) LOOP
      IF is_repeated[i] THEN accepted[i] := false; END IF;
      first_guard := guard;
      WHILE guard <= guards AND guard_commands[guard] = i LOOP
        IF is_changed[guard_streams[guard]] THEN accepted[i] := false; END IF;
        guard := guard + 1;
      END LOOP;
      IF NOT accepted[i] THEN
        FOR g IN first_guard..guard - 1 LOOP
          IF guard_appends[g] THEN is_changed[guard_streams[g]] := true; END IF;
        END LOOP;
      END IF;
    END LOOP;

    -- What each stream comes to without the events of the commands that were not accepted.
    SELECT array_agg(coalesce(l.version, u.version) ORDER BY u.i), array_agg(coalesce(l.hash, u.head) ORDER BY u.i),
      array_agg(coalesce(l.time, 0) ORDER BY u.i)
    INTO next_versions, next_heads, next_times
    FROM unnest(stream_ids, base_versions, base_heads) WITH ORDINALITY AS u (stream_id, version, head, i)
    LEFT JOIN (
      SELECT DISTINCT ON (e.stream_id) e.stream_id, e.version, e.hash, e.time
      FROM unnest(event_commands, event_streams, event_versions, event_hashes, event_times) AS e (command, stream_id, version, hash, time)
      WHERE accepted[e.command]
      ORDER BY e.stream_id, e.version DESC
    ) l ON l.stream_id = u.stream_id;
  END IF;

  IF slots > 0 AND (all_accepted OR true = ANY (accepted)) THEN
    UPDATE store SET position = position + slots RETURNING position - slots, partitioned_to INTO base, room;
    -- Partitions are made ahead of time; where nobody did, the append does, and is late rather than refused.
    IF base + slots >= room THEN UPDATE store SET partitioned_to = add_partitions(base + 1, base + slots); END IF;

    IF cardinality(event_slots) > 0 THEN
      INSERT INTO events (position, stream_id, version, type, schema_version, payload, metadata, hash, recorded_at)
      SELECT base + u.slot, u.stream_id, u.version, u.type, u.schema_version, u.payload, u.metadata, u.hash, u.time
      FROM unnest(event_commands, event_slots, event_streams, event_versions, event_types, event_schemas, event_payloads, event_metadatas,
        event_hashes, event_times) AS u (command, slot, stream_id, version, type, schema_version, payload, metadata, hash, time)
      WHERE all_accepted OR accepted[u.command];

      UPDATE streams s SET version = u.version, head = u.head, recorded_at = u.time
      FROM unnest(stream_ids, base_versions, next_versions, next_heads, next_times) AS u (stream_id, base_version, version, head, time)
      WHERE u.base_version > 0 AND u.version > u.base_version AND s.stream_id = u.stream_id;

      IF 0 = ANY (base_versions) THEN
        INSERT INTO streams (stream_id, category, version, head, recorded_at, since)
        SELECT u.stream_id, u.category, u.version, u.head, u.time, base
        FROM unnest(stream_ids, categories, base_versions, next_versions, next_heads, next_times)
          AS u (stream_id, category, base_version, version, head, time)
        WHERE u.base_version = 0 AND u.version > 0;
      END IF;
    END IF;

    IF cardinality(message_slots) > 0 THEN
      INSERT INTO outbox (position, ordinal, topic, key, type, schema_version, message_id, payload, context, recorded_at)
      SELECT base + u.slot, u.ordinal, u.topic, u.key, u.type, u.schema_version, u.message_id, u.payload, u.context, at
      FROM unnest(message_commands, message_slots, message_ordinals, message_topics, message_keys, message_types, message_schemas,
        message_ids, message_payloads, message_contexts)
        AS u (command, slot, ordinal, topic, key, type, schema_version, message_id, payload, context)
      WHERE all_accepted OR accepted[u.command];
    END IF;

  END IF;

  INSERT INTO commands (command_id, fingerprint, answer, recorded_at)
  SELECT u.command_id, u.fingerprint, u.answer, at
  FROM unnest(command_ids, fingerprints, answers) WITH ORDINALITY AS u (command_id, fingerprint, answer, i)
  WHERE u.answer IS NOT NULL AND (all_accepted OR accepted[u.i]);

  IF all_accepted THEN RETURN; END IF;

  RETURN QUERY
  SELECT CASE WHEN is_repeated[u.i] THEN 1 ELSE 2 END, u.i::integer, NULL::bigint, c.fingerprint, c.answer, NULL::bytea, NULL::bigint, NULL::integer
  FROM unnest(command_ids) WITH ORDINALITY AS u (command_id, i)
  LEFT JOIN commands c ON is_repeated[u.i] AND c.command_id = u.command_id
  WHERE NOT accepted[u.i];

  RETURN QUERY
  SELECT 3, u.i::integer, coalesce(s.version, 0),
    CASE WHEN s.archive IS NOT NULL THEN 'archived' WHEN u.version = 0 OR EXISTS (
      SELECT FROM events e
      WHERE e.stream_id = u.stream_id AND e.version = u.version AND e.hash = u.head AND coalesce(e.moved_to, e.position) >= s.since
    ) THEN 'prefix' END,
    NULL::bytea, coalesce(s.head, ''), coalesce(s.recorded_at, 0), NULL::integer
  FROM unnest(stream_ids, base_versions, base_heads) WITH ORDINALITY AS u (stream_id, version, head, i)
  LEFT JOIN streams s ON s.stream_id = u.stream_id
  WHERE is_changed[u.i];

  RETURN QUERY
  SELECT 4, u.i::integer, e.version, e.type, e.payload, e.hash, e.recorded_at, e.schema_version
  FROM unnest(stream_ids, base_versions) WITH ORDINALITY AS u (stream_id, version, i)
  JOIN streams s ON s.stream_id = u.stream_id AND s.archive IS NULL
  JOIN events e ON e.stream_id = u.stream_id AND e.version > u.version AND e.version <= u.version + 1000
    AND coalesce(e.moved_to, e.position) >= s.since
  WHERE is_changed[u.i]
  ORDER BY u.i, e.version;
END
$function$`
