import type { Clock } from '#kernel'
import type pg from 'pg'
import type { StateCache } from './append/state-cache.js'

const ROWS_PER_DELETE = 1_000
const DELETES_PER_ROUND = 50
/** Of each kind. */
export const ROWS_PER_ROUND = ROWS_PER_DELETE * DELETES_PER_ROUND

/**
 * What the ids of commands that expire begin with: a client's idempotency key is promised for a day. The answer to a command message is kept
 * for good, since its sender may ask again after any outage, and a refund that was forgotten would be paid twice.
 */
export const EXPIRING = 'http:'

// Replicas sweep at the same time: each takes what no other is deleting, or one would wait for the other and then find its own rows gone.
export const SWEEP_COMMANDS = `
DELETE FROM commands WHERE command_id = ANY (ARRAY(
  SELECT command_id FROM commands WHERE command_id LIKE '${EXPIRING}%' AND recorded_at < $1 ORDER BY recorded_at LIMIT ${ROWS_PER_DELETE}
  FOR UPDATE SKIP LOCKED))`

/** How far it has come is noted with it: a relay that is set back before that must not take what is left for all there was. */
export const SWEEP_OUTBOX = `
WITH gone AS (
  DELETE FROM outbox WHERE ctid = ANY (ARRAY(
    SELECT o.ctid FROM outbox o, relay r WHERE o.position <= r.position ORDER BY o.position, o.ordinal LIMIT ${ROWS_PER_DELETE}
    FOR UPDATE OF o SKIP LOCKED))
  RETURNING position
), noted AS (
  UPDATE relay SET swept = greatest(swept, (SELECT max(position) FROM gone)) WHERE EXISTS (SELECT FROM gone)
)
SELECT FROM gone`

/** So that there is room for one partition's worth of positions and more: what a store appends in minutes at its fastest. Most sweeps find nothing to do. */
const MAKE_ROOM = `
SELECT add_partitions(position + 1, position + partition_size) AS partitioned_to FROM store WHERE partitioned_to <= position + partition_size`
const ROOM_MADE = 'UPDATE store SET partitioned_to = greatest(partitioned_to, $1)'

export interface Swept {
  readonly commands: number
  readonly messages: number
}

/** Makes the partitions that appends will soon write to. The two statements are two transactions, so that no append waits while a table is made. */
export const makeRoom = async (pool: pg.Pool): Promise<void> => {
  const { rows } = await pool.query<{ partitioned_to: bigint }>(MAKE_ROOM)
  if (rows[0]) await pool.query(ROOM_MADE, [rows[0].partitioned_to])
}

/** For how many partitions' worth of positions there is room: more than 1 wherever room is made in time; at 0 the next append makes its own. */
export const roomLeft = async (pool: pg.Pool): Promise<number> => {
  const { rows } = await pool.query<{ room: number }>(
    'SELECT ((partitioned_to - 1 - position)::float8 / partition_size) AS room FROM store',
  )
  return rows[0]?.room ?? 0
}

/** Deletes answers of expiring commands that are older than their retention, and messages that the relay has passed: in small statements, and not without end. */
export const sweep = async (pool: pg.Pool, clock: Clock, retention_ms: number): Promise<Swept> => ({
  commands: await repeated(pool, SWEEP_COMMANDS, [Math.floor(clock.now() - retention_ms)]),
  messages: await repeated(pool, SWEEP_OUTBOX, []),
})

const repeated = async (pool: pg.Pool, text: string, values: unknown[]): Promise<number> => {
  let total = 0
  for (let count = 0; count < DELETES_PER_ROUND; count++) {
    const deleted = (await pool.query(text, values)).rowCount ?? 0
    total += deleted
    if (deleted < ROWS_PER_DELETE) break
  }
  return total
}

export interface Upkeep {
  readonly cache: Pick<StateCache, 'dropIdle'>
  readonly retention_ms: number
  readonly every_ms: number
  readonly onError: (error: unknown) => void
}

/** Makes room, sweeps and lets idle states go, again and again until it is stopped. What fails is told and tried again at its time. It waits only after it swept all. */
export const sweepRegularly = (
  pool: pg.Pool,
  clock: Clock,
  { cache, retention_ms, every_ms, onError }: Upkeep,
): { stop(): Promise<void> } => {
  const stopping = new AbortController()
  const loop = async () => {
    let isMoreDue = false
    while (!stopping.signal.aborted) {
      try {
        if (!isMoreDue) await clock.sleep(every_ms, stopping.signal)
      } catch {
        return
      }
      cache.dropIdle()
      await makeRoom(pool).catch(onError)
      const swept = await sweep(pool, clock, retention_ms).catch(onError)
      isMoreDue = swept !== undefined && Math.max(swept.commands, swept.messages) >= ROWS_PER_ROUND
    }
  }
  const done = loop()
  return {
    async stop() {
      stopping.abort(new Error('stopped'))
      await done
    },
  }
}
