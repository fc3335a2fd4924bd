// The baseline: what a careful hand writes for an append with expected version and an idempotency row, as one statement in one round trip,
// prepared, with the payload, metadata and hash computed beforehand just as the event store does. Positions come from a sequence, without
// the lock that makes position order commit order, and a repeated command id is an error here: both are less than what ours does.
import { hash } from 'node:crypto'

const APPEND = `
WITH guard AS (
  INSERT INTO streams AS s (stream_id, category, version, head, recorded_at) VALUES ($1, $2, $3::bigint + 1, $4, $5)
  ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, head = excluded.head, recorded_at = excluded.recorded_at
  WHERE s.version = $3
  RETURNING s.version
), event AS (
  INSERT INTO events (position, stream_id, version, type, schema_version, payload, metadata, hash, recorded_at)
  SELECT nextval('baseline_position'), $1, version, $6, 1, $7, $8, $4, $5 FROM guard
  RETURNING version
), command AS (
  INSERT INTO commands (command_id, fingerprint, answer, recorded_at)
  SELECT $9, $10, $11, $5 FROM guard
)
SELECT version FROM event`

export const handWritten = async (pool, { data, metadata, answer, fingerprint }) => {
  await pool.query('CREATE SEQUENCE baseline_position')
  const versions = new Map()
  return async (id, commandId) => {
    const stream = `bench-${id}`
    const { version, head } = versions.get(stream) ?? { version: 0, head: Buffer.alloc(0) }
    const payload = Buffer.from(JSON.stringify(data))
    const meta = Buffer.from(JSON.stringify({ ...metadata, commandId }))
    const now = Date.now()
    const next = hash('sha256', Buffer.concat([head, Buffer.from(`${stream}|${version + 1}|Happened|1|${now}|`), payload, meta]), 'buffer')
    const { rows } = await pool.query({
      name: 'append',
      text: APPEND,
      values: [stream, 'bench', version, next, now, 'Happened', payload, meta, commandId, fingerprint, Buffer.from(answer)],
    })
    if (rows.length !== 1) throw new Error(`${stream} moved on`)
    versions.set(stream, { version: version + 1, head: next })
  }
}
