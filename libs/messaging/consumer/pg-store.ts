import type { Transaction } from '#kernel'
import { asPg, isBrokenAssumption } from '#postgres'
import type pg from 'pg'
import { keyFault } from '../cloud-events.js'
import { FenceLost } from '../failure.js'
import { letterId } from './letter-id.js'
import type { StoredRecord, TopicPartition } from '../log.js'
import type {
  Aside,
  ConsumerStore,
  DeadLetter,
  DeadLetterState,
  DeferredMessage,
  FailureReport,
  LetterChange,
  Mark,
  Place,
  Progress,
  ReadUpTo,
  RedriveOrder,
} from './store.js'

/** The consumer's place in its own database: the tables of `messagingMigrations` in the pool's schema. */
export const pgConsumerStore = (pool: pg.Pool): ConsumerStore => new PgConsumerStore(pool)

class PgConsumerStore implements ConsumerStore {
  constructor(private readonly pool: pg.Pool) {}

  async progress(group: string, { topic, partition }: TopicPartition, first: bigint, log?: string): Promise<Progress> {
    await this.pool.query({
      name: 'consumer-begin',
      // A process that is set to another log begins nothing there, also not where that has more partitions.
      text: `INSERT INTO consumer_offset ("group", topic, partition, next, log)
        SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM consumer_offset WHERE "group" = $1 AND log <> $5) ON CONFLICT DO NOTHING`,
      values: [group, topic, partition, first, log ?? null],
    })
    if (log !== undefined)
      await this.pool.query({
        name: 'consumer-in-log',
        // Or a partition that the log did not have when the group was moved to it.
        text: `UPDATE consumer_offset SET log = $4, next = greatest(next, $5)
          WHERE "group" = $1 AND topic = $2 AND partition = $3 AND (log IS NULL OR log = $4 AND next < 0)`,
        values: [group, topic, partition, log, first],
      })
    const { rows } = await this.pool.query<{ next: bigint; marks: string; last: string | null; log: string | null; keys: string[] }>({
      name: 'consumer-progress',
      text: `SELECT next, marks, last, log, ARRAY (
          SELECT DISTINCT d.key FROM deferred d WHERE d."group" = o."group" AND d.topic = o.topic AND d.partition = o.partition AND NOT d.redriven
        ) AS keys
        FROM consumer_offset o WHERE "group" = $1 AND topic = $2 AND partition = $3`,
      values: [group, topic, partition],
    })
    const row = rows[0]
    if (!row) return { next: first, marks: [], log: await this.#logOf(group), deferredKeys: [] }
    return {
      next: row.next,
      marks: readMarks(row.marks),
      last: row.last ?? undefined,
      log: row.log ?? undefined,
      deferredKeys: row.keys,
    }
  }

  async #logOf(group: string): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ log: string | null }>('SELECT log FROM consumer_offset WHERE "group" = $1 LIMIT 1', [group])
    return rows[0]?.log ?? undefined
  }

  advance(tx: Transaction, group: string, { topic, partition }: TopicPartition, from: bigint, to: ReadUpTo): Promise<boolean> {
    asPg(tx).send(
      {
        name: 'consumer-advance',
        // Without a row moved it divides by zero: an error, so that the COMMIT in the same trip does not happen.
        text: `WITH moved AS (
            UPDATE consumer_offset SET next = $5, marks = $6, last = $7, log = coalesce($8::text, log), moved_at = clock_timestamp()
            WHERE "group" = $1 AND topic = $2 AND partition = $3 AND next = $4 AND (log IS NULL OR $8::text IS NULL OR log = $8::text) RETURNING 1
          ) SELECT 1 / count(*) FROM moved`,
        values: [group, topic, partition, from, to.next, writeMarks(to.marks), to.last ?? null, to.log ?? null],
      },
      (error) => (isBrokenAssumption(error) ? new FenceLost(group, topic, partition) : error),
    )
    return Promise.resolve(true)
  }

  async defer(tx: Transaction, group: string, messages: readonly DeferredMessage[]): Promise<void> {
    await asPg(tx).query({
      name: 'consumer-defer',
      text: `INSERT INTO deferred ("group", topic, partition, "offset", key, headers, value, recorded_at_ms, attempts, failure, due_ms, redriven)
        SELECT $1, topic, partition, "offset", key, headers, value, at, attempts, failure, due, redriven
        FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::bigint[], $9::int[], $10::text[], $11::bigint[], $12::bool[])
          WITH ORDINALITY AS d (topic, partition, "offset", key, headers, value, at, attempts, failure, due, redriven, n)
        ORDER BY n
        ON CONFLICT DO NOTHING`,
      values: [
        group,
        ...columns(messages),
        messages.map(({ attempts }) => attempts),
        messages.map(({ failure }) => (failure ? JSON.stringify(failure) : null)),
        messages.map(({ due_ms }) => due_ms),
        messages.map(({ redriven }) => redriven ?? false),
      ],
    })
  }

  async due(group: string, partitions: readonly TopicPartition[], now_ms: number, limit: number): Promise<readonly DeferredMessage[]> {
    const { rows } = await this.pool.query<DeferredRow>({
      name: 'consumer-due',
      text: `SELECT * FROM (${HEADS}) heads WHERE due_ms <= $4 ORDER BY due_ms, id LIMIT $5`,
      values: [group, ...placeColumns(partitions), now_ms, limit],
    })
    return rows.map(toDeferred)
  }

  async nextDue(group: string, partitions: readonly TopicPartition[]): Promise<number | undefined> {
    const { rows } = await this.pool.query<{ due: bigint | null }>({
      name: 'consumer-next-due',
      text: `SELECT min(due_ms) AS due FROM (${HEADS}) heads`,
      values: [group, ...placeColumns(partitions)],
    })
    const due = rows[0]?.due
    return due === null || due === undefined ? undefined : Number(due)
  }

  async settle(tx: Transaction, group: string, record: StoredRecord, now_ms: number): Promise<boolean> {
    const { rows } = await asPg(tx).query<{ gone: bigint }>({
      name: 'consumer-settle',
      text: `WITH gone AS (
          DELETE FROM deferred WHERE "group" = $1 AND topic = $2 AND partition = $3 AND "offset" = $4 AND recorded_at_ms = $5 RETURNING 1
        ), letter AS (
          UPDATE dead_letter SET state = 'recovered', changed_at_ms = $7, revision = revision + 1, published = false
          WHERE id = $6 AND state = 'redriven'
        ) SELECT count(*) AS gone FROM gone`,
      values: [group, record.topic, record.partition, record.offset, record.timestamp_ms, letterId(group, record), now_ms],
    })
    return rows[0]?.gone === 1n
  }

  async waits(tx: Transaction, group: string, { topic, partition }: TopicPartition, key: string): Promise<boolean> {
    const { rows } = await asPg(tx).query<{ waits: boolean }>({
      name: 'consumer-waits',
      text: `SELECT EXISTS (
        SELECT FROM deferred WHERE "group" = $1 AND topic = $2 AND partition = $3 AND NOT redriven AND key = $4) AS waits`,
      values: [group, topic, partition, key],
    })
    return rows[0]?.waits ?? false
  }

  async postpone(tx: Transaction, group: string, { record, attempts, failure, due_ms }: DeferredMessage): Promise<boolean> {
    const { rowCount } = await asPg(tx).query({
      name: 'consumer-postpone',
      text: `UPDATE deferred SET attempts = $5, failure = coalesce($6, failure), due_ms = $7
        WHERE "group" = $1 AND topic = $2 AND partition = $3 AND "offset" = $4 AND recorded_at_ms = $8`,
      values: [
        group,
        record.topic,
        record.partition,
        record.offset,
        attempts,
        failure ? JSON.stringify(failure) : null,
        due_ms,
        record.timestamp_ms,
      ],
    })
    return rowCount === 1
  }

  async park(tx: Transaction, group: string, letters: readonly DeadLetter[]): Promise<void> {
    await asPg(tx).query({
      name: 'consumer-park',
      text: `INSERT INTO dead_letter (id, "group", topic, partition, "offset", key, headers, value, recorded_at_ms, attempts, failure,
          parked_at_ms, changed_at_ms)
        SELECT l.id, $1, l.topic, l.partition, l."offset", l.key, l.headers, l.value, l.at, l.attempts, l.failure, l.parked, l.parked
        FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::bigint[], $9::int[], $10::text[], $11::bigint[], $12::text[])
          AS l (topic, partition, "offset", key, headers, value, at, attempts, failure, parked, id)
        ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts, failure = excluded.failure, parked_at_ms = excluded.parked_at_ms,
          state = 'parked', changed_at_ms = excluded.changed_at_ms, revision = dead_letter.revision + 1, published = false`,
      values: [
        group,
        ...columns(letters),
        letters.map(({ attempts }) => attempts),
        letters.map(({ failure }) => JSON.stringify(failure)),
        letters.map(({ parkedAt_ms }) => parkedAt_ms),
        letters.map(({ id }) => id),
      ],
    })
  }

  async unpublished(group: string, limit: number, log: string): Promise<readonly LetterChange[]> {
    const { rows } = await this.pool.query<DeadLetterRow>({
      name: 'consumer-unpublished',
      text: `SELECT * FROM dead_letter WHERE "group" = $1 AND NOT published AND NOT ${LEFT('$3')} ORDER BY changed_at_ms LIMIT $2`,
      values: [group, limit, log],
    })
    return rows.map(toChange)
  }

  async published(group: string, changes: readonly LetterChange[], log: string): Promise<void> {
    await this.pool.query({
      name: 'consumer-published',
      text: `UPDATE dead_letter l SET published = true FROM unnest($2::text[], $3::int[]) AS told (id, revision)
        WHERE l."group" = $1 AND l.id = told.id AND l.revision = told.revision AND NOT ${LEFT('$4')}`,
      values: [group, changes.map(({ letter }) => letter.id), changes.map(({ revision }) => revision), log],
    })
  }

  async redrive(tx: Transaction, group: string, id: string, { by, at_ms }: RedriveOrder): Promise<boolean> {
    const { rowCount } = await asPg(tx).query({
      name: 'consumer-redrive',
      text: `WITH letter AS (
          UPDATE dead_letter SET state = 'redriven', redriven_by = $4, changed_at_ms = $3, revision = revision + 1, published = false
          WHERE "group" = $1 AND id = $2 AND state = 'parked' RETURNING *
        )
        INSERT INTO deferred ("group", topic, partition, "offset", key, headers, value, recorded_at_ms, attempts, failure, due_ms, redriven)
        SELECT "group", topic, partition, "offset", key, headers, value, recorded_at_ms, 0, failure, $3, true FROM letter
        ON CONFLICT ("group", topic, partition, "offset", recorded_at_ms) DO UPDATE SET attempts = 0, due_ms = excluded.due_ms`,
      values: [group, id, at_ms, by],
    })
    return rowCount === 1
  }

  async forgetRecovered(group: string, before_ms: number, limit: number): Promise<number> {
    const { rowCount } = await this.pool.query({
      name: 'consumer-forget-recovered',
      text: `DELETE FROM dead_letter WHERE id IN (
          SELECT id FROM dead_letter WHERE "group" = $1 AND state = 'recovered' AND published AND changed_at_ms < $2
          ORDER BY changed_at_ms LIMIT $3 FOR UPDATE SKIP LOCKED)`,
      values: [group, before_ms, limit],
    })
    return rowCount ?? 0
  }

  async places(group: string): Promise<readonly Place[]> {
    const { rows } = await this.pool.query<Omit<Place, 'log'> & { readonly log: string | null }>({
      name: 'consumer-places',
      text: `SELECT topic, partition, next, log FROM consumer_offset WHERE "group" = $1 AND next >= 0 ORDER BY topic, partition`,
      values: [group],
    })
    return rows.map(({ log, ...place }) => ({ ...place, ...(log !== null && { log }) }))
  }

  async aside(group: string): Promise<readonly Aside[]> {
    const { rows } = await this.pool.query<Aside>({
      name: 'consumer-aside',
      text: `SELECT topic, partition, sum(deferred)::int AS deferred, sum(parked)::int AS parked FROM (
          SELECT topic, partition, count(*) AS deferred, 0 AS parked FROM deferred WHERE "group" = $1 GROUP BY topic, partition
          UNION ALL
          SELECT topic, partition, 0, count(*) FROM dead_letter WHERE "group" = $1 AND state = 'parked' GROUP BY topic, partition
        ) counts GROUP BY topic, partition`,
      values: [group],
    })
    return rows
  }
}

/** The group is leaving this log, or has left it: who is to read what is said there now may have gone before. */
const LEFT = (log: string) => `EXISTS (SELECT FROM consumer_offset WHERE "group" = $1 AND (leaving OR log <> ${log}))`

/**
 * The first message of each waiting key, and every redriven one, of partitions given as two arrays. Redriven ones of a partition that the group
 * does not read, because the log before had more of them, go with the first. From key to key by the index: what waits behind a key is not read.
 */
const HEADS = `
  WITH RECURSIVE place AS (SELECT * FROM unnest($2::text[], $3::int[]) AS place (topic, partition)),
  head AS (
    SELECT place.topic, place.partition, first.key, first.id FROM place CROSS JOIN LATERAL (
      SELECT key, id FROM deferred WHERE "group" = $1 AND topic = place.topic AND partition = place.partition AND NOT redriven
      ORDER BY key, id LIMIT 1) first
    UNION ALL
    SELECT head.topic, head.partition, next.key, next.id FROM head CROSS JOIN LATERAL (
      SELECT key, id FROM deferred WHERE "group" = $1 AND topic = head.topic AND partition = head.partition AND NOT redriven AND key > head.key
      ORDER BY key, id LIMIT 1) next
  ), redriven AS (
    SELECT d.id FROM deferred d JOIN place ON place.topic = d.topic AND (place.partition = d.partition
      OR place.partition = 0 AND NOT EXISTS (
        SELECT FROM consumer_offset o WHERE o."group" = $1 AND o.topic = d.topic AND o.partition = d.partition AND o.next >= 0))
    WHERE d."group" = $1 AND d.redriven
  )
  SELECT d.* FROM deferred d JOIN (SELECT id FROM head UNION SELECT id FROM redriven) heads USING (id)`

interface StoredRow {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly headers: string
  readonly value: Buffer
  readonly recorded_at_ms: bigint
}

interface DeferredRow extends StoredRow {
  readonly attempts: number
  readonly failure: string | null
  readonly due_ms: bigint
  readonly redriven: boolean
}

interface DeadLetterRow extends StoredRow {
  readonly id: string
  readonly attempts: number
  readonly failure: string
  readonly parked_at_ms: bigint
  readonly state: DeadLetterState
  readonly redriven_by: string | null
  readonly changed_at_ms: bigint
  readonly revision: number
}

const placeColumns = (partitions: readonly TopicPartition[]): readonly unknown[] => [
  partitions.map(({ topic }) => topic),
  partitions.map(({ partition }) => partition),
]

const columns = (entries: readonly { readonly record: StoredRecord }[]): readonly unknown[] => [
  entries.map(({ record }) => record.topic),
  entries.map(({ record }) => record.partition),
  entries.map(({ record }) => record.offset),
  entries.map(({ record }) => storable(record.key)),
  entries.map(({ record }) => JSON.stringify(record.headers)),
  entries.map(({ record }) => Buffer.from(record.value)),
  entries.map(({ record }) => record.timestamp_ms),
]

/** A key that is no message's is parked so that it can be put back, and is still none. PostgreSQL has no NUL in a text, and no such length in an index. */
const storable = (key: string): string => (keyFault(key) ? `${key.replaceAll('\0', '').slice(0, 100)}\uFFFD` : key)

const toRecord = (row: StoredRow): StoredRecord => ({
  topic: row.topic,
  partition: row.partition,
  offset: row.offset,
  key: row.key,
  headers: JSON.parse(row.headers) as Record<string, string>,
  value: row.value,
  timestamp_ms: Number(row.recorded_at_ms),
})

const toDeferred = (row: DeferredRow): DeferredMessage => ({
  record: toRecord(row),
  attempts: row.attempts,
  due_ms: Number(row.due_ms),
  redriven: row.redriven,
  ...(row.failure === null ? {} : { failure: JSON.parse(row.failure) as FailureReport }),
})

const toChange = (row: DeadLetterRow): LetterChange => ({
  letter: toDeadLetter(row),
  state: row.state,
  revision: row.revision,
  at_ms: Number(row.changed_at_ms),
  ...(row.redriven_by === null ? {} : { by: row.redriven_by }),
})

const toDeadLetter = (row: DeadLetterRow): DeadLetter => ({
  id: row.id,
  record: toRecord(row),
  attempts: row.attempts,
  failure: JSON.parse(row.failure) as FailureReport,
  parkedAt_ms: Number(row.parked_at_ms),
})

type WrittenMark = readonly [source: string, incarnation: string, position: string, ordinal: number]

export const writeMarks = (marks: readonly Mark[]): string =>
  JSON.stringify(
    marks.map(({ source, incarnation, position, ordinal }): WrittenMark => [source, incarnation, position.toString(), ordinal]),
  )

export const readMarks = (text: string): readonly Mark[] =>
  (JSON.parse(text) as WrittenMark[]).map(([source, incarnation, position, ordinal]) => ({
    source,
    incarnation,
    position: BigInt(position),
    ordinal,
  }))
