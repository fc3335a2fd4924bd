/**
 * Everything that a transaction changes, in one trip, and one ring of the doorbell, heard at commit, when somebody may take a task. What the
 * transaction's own worker takes is put as taken: no ring, no claim, no second write. Answers what was taken, with its epoch.
 *
 * The settings are those of `append_commands`: the tables turn over fast, and a plan that reads them whole reads their dead rows too.
 */
export const saveSagas = `
CREATE FUNCTION save_sagas(
  ids uuid[], types text[], definitions integer[], correlation_keys text[], statuses text[], steps text[], waits text[], versions integer[],
  starts timestamptz[], updates timestamptz[],
  removed_sagas uuid[], removed_names text[],
  task_sagas uuid[], task_names text[], due_in_ms double precision[], correlation_ids text[], runs jsonb[], taken boolean[],
  lease_ms double precision, own_worker bigint
) RETURNS TABLE (saga_id uuid, name text, epoch bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $function$
#variable_conflict use_column
BEGIN
  INSERT INTO saga_instances AS i (id, type, definition, correlation_key, status, step, waiting_for, version, started_at, updated_at)
  SELECT * FROM unnest(ids, types, definitions, correlation_keys, statuses, steps, waits, versions, starts, updates)
  ON CONFLICT (id) DO UPDATE SET status = excluded.status, step = excluded.step, waiting_for = excluded.waiting_for,
    version = excluded.version, updated_at = excluded.updated_at, definition = excluded.definition;

  IF cardinality(removed_sagas) > 0 THEN
    DELETE FROM saga_tasks t USING unnest(removed_sagas, removed_names) AS r (saga_id, name)
    WHERE t.saga_id = r.saga_id AND t.name = r.name;
  END IF;

  IF cardinality(task_sagas) = 0 THEN RETURN; END IF;
  IF false = ANY (taken) THEN PERFORM pg_notify('saga_tasks_' || current_schema(), ''); END IF;
  RETURN QUERY
  WITH put AS (
    INSERT INTO saga_tasks AS t (saga_id, name, due_at, correlation_id, run, epoch, worker)
    SELECT u.saga_id, u.name, clock_timestamp() + CASE WHEN u.taken THEN lease_ms ELSE u.due_in END * interval '1 ms', u.correlation_id, u.run,
      CASE WHEN u.taken THEN nextval('saga_task_epoch') ELSE 0 END, CASE WHEN u.taken THEN own_worker END
    FROM unnest(task_sagas, task_names, due_in_ms, correlation_ids, runs, taken) AS u (saga_id, name, due_in, correlation_id, run, taken)
    ON CONFLICT (saga_id, name) DO UPDATE SET due_at = excluded.due_at, run = excluded.run, worker = excluded.worker,
      epoch = greatest(excluded.epoch, t.epoch)
    RETURNING t.saga_id, t.name, t.epoch, t.worker
  )
  SELECT p.saga_id, p.name, p.epoch FROM put p WHERE p.worker IS NOT NULL;
END
$function$`

/**
 * The same in fewer writes, beside the one above, which the release before still calls while this one is rolled out. Rows that are there are updated
 * and not inserted in conflict, which would lock and log each first; and who settles a step and begins the next has its row changed into the next
 * one's (`task_olds`: the row whose place a task takes that has none of its own). The store's lock is held: nobody else inserts.
 */
export const saveSagasInPlace = `
CREATE FUNCTION save_sagas(
  ids uuid[], types text[], definitions integer[], correlation_keys text[], statuses text[], steps text[], waits text[], versions integer[],
  starts timestamptz[], updates timestamptz[],
  removed_sagas uuid[], removed_names text[],
  task_sagas uuid[], task_names text[], task_olds text[], due_in_ms double precision[], correlation_ids text[], runs jsonb[], taken boolean[],
  lease_ms double precision, own_worker bigint
) RETURNS TABLE (saga_id uuid, name text, epoch bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $function$
#variable_conflict use_column
DECLARE
  done integer;
BEGIN
  UPDATE saga_instances i SET status = u.status, step = u.step, waiting_for = u.waiting_for, version = u.version, updated_at = u.updated_at,
    definition = u.definition
  FROM unnest(ids, definitions, statuses, steps, waits, versions, updates)
    AS u (id, definition, status, step, waiting_for, version, updated_at)
  WHERE i.id = u.id;
  GET DIAGNOSTICS done = ROW_COUNT;
  IF done < cardinality(ids) THEN
    INSERT INTO saga_instances (id, type, definition, correlation_key, status, step, waiting_for, version, started_at, updated_at)
    SELECT u.* FROM unnest(ids, types, definitions, correlation_keys, statuses, steps, waits, versions, starts, updates)
      AS u (id, type, definition, correlation_key, status, step, waiting_for, version, started_at, updated_at)
    WHERE NOT EXISTS (SELECT FROM saga_instances i WHERE i.id = u.id);
  END IF;

  done := 0;
  IF cardinality(task_sagas) > 0 THEN
    IF false = ANY (taken) THEN PERFORM pg_notify('saga_tasks_' || current_schema(), ''); END IF;
    RETURN QUERY
    UPDATE saga_tasks t SET name = u.name, run = u.run, worker = CASE WHEN u.taken THEN own_worker END,
      due_at = clock_timestamp() + CASE WHEN u.taken THEN lease_ms ELSE u.due_in END * interval '1 ms',
      epoch = CASE WHEN u.taken THEN nextval('saga_task_epoch') ELSE t.epoch END
    FROM unnest(task_sagas, task_names, task_olds, due_in_ms, runs, taken) AS u (saga_id, name, old, due_in, run, taken)
    WHERE t.saga_id = u.saga_id
      AND t.name = coalesce((SELECT o.name FROM saga_tasks o WHERE o.saga_id = u.saga_id AND o.name = u.name), u.old)
    RETURNING t.saga_id, t.name, t.epoch;
    GET DIAGNOSTICS done = ROW_COUNT;
  END IF;

  IF cardinality(removed_sagas) > 0 THEN
    DELETE FROM saga_tasks t USING unnest(removed_sagas, removed_names) AS r (saga_id, name)
    WHERE t.saga_id = r.saga_id AND t.name = r.name;
  END IF;

  IF done < cardinality(task_sagas) THEN
    RETURN QUERY
    INSERT INTO saga_tasks AS t (saga_id, name, due_at, correlation_id, run, epoch, worker)
    SELECT u.saga_id, u.name, clock_timestamp() + CASE WHEN u.taken THEN lease_ms ELSE u.due_in END * interval '1 ms', u.correlation_id, u.run,
      CASE WHEN u.taken THEN nextval('saga_task_epoch') ELSE 0 END, CASE WHEN u.taken THEN own_worker END
    FROM unnest(task_sagas, task_names, due_in_ms, correlation_ids, runs, taken) AS u (saga_id, name, due_in, correlation_id, run, taken)
    WHERE NOT EXISTS (SELECT FROM saga_tasks o WHERE o.saga_id = u.saga_id AND o.name = u.name)
    RETURNING t.saga_id, t.name, t.epoch;
  END IF;
END
$function$`
