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
