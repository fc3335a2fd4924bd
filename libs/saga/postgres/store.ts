import { asPg, listen, type PostgresConfig } from '#postgres'
import type { JsonObject } from '#kernel'
import type pg from 'pg'
import type { SagaStatus } from '../state.js'
import { at, takenOf, type ClaimedTask, type SagaInstance, type SagaStore, type SagaTask } from '../store.js'

const SAVE = `SELECT * FROM save_sagas(${Array.from({ length: 20 }, (_, nth) => `$${nth + 1}`).join(', ')})`

/** The lease is the new due time: a task whose worker died comes back by itself. The epoch never repeats, so a claim's inputs never do. */
export const CLAIM = `
WITH due AS (
  SELECT saga_id, name FROM saga_tasks WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE saga_tasks task SET due_at = clock_timestamp() + $2 * interval '1 ms', epoch = nextval('saga_task_epoch'), worker = $3
FROM due WHERE task.saga_id = due.saga_id AND task.name = due.name
RETURNING task.saga_id, task.name, task.due_at, task.correlation_id, task.run, task.epoch`

export const DUE_IN = `SELECT (extract(epoch FROM due_at - now()) * 1000)::float8 AS due_in FROM saga_tasks ORDER BY due_at LIMIT 1`

/** Of what has not ended, by its index: each replica is asked at each scrape, and nobody deletes what has. */
export const COUNTS = `
SELECT type, status, count(*)::int AS count, (extract(epoch FROM min(started_at)) * 1000)::float8 AS since_ms
FROM saga_instances WHERE status NOT IN ('COMPLETED', 'COMPENSATED') GROUP BY type, status ORDER BY type, status`

const HELD = `
SELECT claim.nth::int AS nth FROM unnest($1::uuid[], $2::text[], $3::bigint[]) WITH ORDINALITY AS claim (saga_id, name, epoch, nth)
JOIN saga_tasks task ON task.saga_id = claim.saga_id AND task.name = claim.name AND task.epoch = claim.epoch`

/**
 * Rows that somebody holds are passed over on both tables: whoever holds them acts on them, and two workers never wait for each other. What a dead
 * worker had was first in line once, and is again: behind all that is due it would wait for as long as that lasts.
 */
const BEAT = `
WITH mine AS (
  UPDATE saga_workers SET alive_until = now() + $2 * interval '1 ms' WHERE id = $1 RETURNING id
), enlisted AS (
  INSERT INTO saga_workers (id, alive_until)
  SELECT nextval('saga_task_epoch'), now() + $2 * interval '1 ms' WHERE NOT EXISTS (SELECT FROM mine) RETURNING id
), dead AS (
  DELETE FROM saga_workers WHERE id IN (
    SELECT id FROM saga_workers WHERE alive_until < now() AND id IS DISTINCT FROM $1 FOR UPDATE SKIP LOCKED
  ) RETURNING id
), lost AS (
  SELECT saga_id, name FROM saga_tasks WHERE worker IN (SELECT id FROM dead) FOR UPDATE SKIP LOCKED
), freed AS (
  UPDATE saga_tasks task SET due_at = to_timestamp(0), worker = NULL FROM lost WHERE task.saga_id = lost.saga_id AND task.name = lost.name RETURNING 1
)
SELECT id, (SELECT pg_notify('saga_tasks_' || current_schema(), '') FROM freed LIMIT 1)
FROM (SELECT id FROM mine UNION ALL SELECT id FROM enlisted) worker`

const INSTANCE = `SELECT id, type, definition, correlation_key, status, step, waiting_for, version, started_at, updated_at FROM saga_instances`

interface InstanceRow {
  id: string
  type: string
  definition: number
  correlation_key: string
  status: SagaStatus
  step: string | null
  waiting_for: string | null
  version: number
  started_at: Date
  updated_at: Date
}

interface TaskRow {
  saga_id: string
  name: string
  due_at: Date
  correlation_id: string
  run: (JsonObject & NonNullable<SagaTask['run']>) | null
  epoch: bigint
}

export const pgSagaStore = (pool: pg.Pool, config: PostgresConfig): SagaStore => ({
  async save({ instances, tasks, removed, now }, tx, take) {
    const taken = takenOf(tasks, take)
    const query = {
      name: 'saga-save',
      text: SAVE,
      values: [
        instances.map(({ id }) => id),
        instances.map(({ type }) => type),
        instances.map(({ definition }) => definition),
        instances.map(({ correlationKey }) => correlationKey),
        instances.map(({ status }) => status),
        instances.map(({ step }) => step ?? null),
        instances.map(({ waitingFor }) => waitingFor ?? null),
        instances.map(({ version }) => version),
        instances.map(({ startedAt }) => new Date(startedAt).toISOString()),
        instances.map(({ updatedAt }) => new Date(updatedAt).toISOString()),
        removed.map(({ sagaId }) => sagaId),
        removed.map(({ name }) => name),
        tasks.map(({ sagaId }) => sagaId),
        tasks.map(({ name }) => name),
        tasks.map(({ dueAt }) => dueAt - now),
        tasks.map(({ correlationId }) => correlationId),
        tasks.map(({ run }) => (run ? JSON.stringify(run) : null)),
        tasks.map((task) => taken.has(at(task))),
        take?.lease_ms ?? 0,
        take?.worker ?? null,
      ],
    }
    asPg(tx).send<{ saga_id: string; name: string; epoch: bigint }>(query, undefined, (rows) =>
      take?.taken(
        rows.flatMap(({ saga_id, name, epoch }) => {
          const task = taken.get(at({ sagaId: saga_id, name }))
          return task ? [{ ...task, epoch }] : []
        }),
      ),
    )
  },

  async claim({ limit, lease_ms, worker }) {
    const { rows } = await pool.query<TaskRow>({ name: 'saga-claim', text: CLAIM, values: [limit, lease_ms, worker ?? null] })
    return rows.map(readTask)
  },

  async held(claims, tx) {
    const values = [claims.map(({ sagaId }) => sagaId), claims.map(({ name }) => name), claims.map(({ epoch }) => epoch)]
    const { rows } = await asPg(tx).query<{ nth: number }>({ name: 'saga-held', text: HELD, values })
    return new Set(rows.map(({ nth }) => nth - 1))
  },

  async beat({ worker, alive_ms }) {
    const { rows } = await pool.query<{ id: bigint }>({ name: 'saga-beat', text: BEAT, values: [worker ?? null, alive_ms] })
    const [row] = rows
    if (!row) throw new Error('a worker that beats has a number')
    return row.id
  },

  async dueIn() {
    const { rows } = await pool.query<{ due_in: number }>({
      name: 'saga-due-in',
      text: DUE_IN,
    })
    return rows[0]?.due_in
  },

  onDoorbell: (ring) => listen(config, `saga_tasks_${config.schema}`, ring),

  async instance(id) {
    const { rows } = await pool.query<InstanceRow>({ name: 'saga-instance', text: `${INSTANCE} WHERE id = $1`, values: [id] })
    return rows[0] && readInstance(rows[0])
  },

  async list({ type, definition, status, stuckSince }, { before, limit }) {
    const values: unknown[] = []
    const given = (value: unknown) => `$${values.push(value)}`
    const where = [
      ...(type === undefined ? [] : [`type = ${given(type)}`]),
      ...(definition === undefined ? [] : [`definition = ${given(definition)}`]),
      ...(status === undefined ? [] : [`status = ${given(status)}`]),
      ...(stuckSince === undefined ? [] : [`updated_at <= ${given(new Date(stuckSince))} AND status NOT IN ('COMPLETED', 'COMPENSATED')`]),
      ...(before === undefined ? [] : [`id < ${given(before)}`]),
    ]
    const text = `${INSTANCE} ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY id DESC LIMIT ${given(limit)}`
    const { rows } = await pool.query<InstanceRow>({ text, values })
    return rows.map(readInstance)
  },

  async definitionsInUse() {
    const { rows } = await pool.query<{ type: string; version: number; count: number; examples: string[] }>(`
      SELECT type, definition AS version, count(*)::int AS count, (array_agg(id::text ORDER BY id))[1:5] AS examples FROM saga_instances
      WHERE status NOT IN ('COMPLETED', 'COMPENSATED') GROUP BY type, definition ORDER BY type, definition`)
    return rows
  },

  async counts() {
    const { rows } = await pool.query<{ type: string; status: SagaStatus; count: number; since_ms: number }>({
      name: 'saga-counts',
      text: COUNTS,
    })
    return rows
  },
})

const readTask = (row: TaskRow): ClaimedTask => ({
  sagaId: row.saga_id,
  name: row.name,
  dueAt: row.due_at.getTime(),
  correlationId: row.correlation_id,
  epoch: row.epoch,
  ...(row.run ? { run: row.run } : {}),
})

const readInstance = (row: InstanceRow): SagaInstance => ({
  id: row.id,
  type: row.type,
  definition: row.definition,
  correlationKey: row.correlation_key,
  status: row.status,
  ...(row.step === null ? {} : { step: row.step }),
  ...(row.waiting_for === null ? {} : { waitingFor: row.waiting_for }),
  version: row.version,
  startedAt: row.started_at.getTime(),
  updatedAt: row.updated_at.getTime(),
})
