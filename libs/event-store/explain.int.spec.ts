import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, sweep, type AnyStreamType } from '#event-store'
import { systemClock } from '#kernel'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { SWEEP_COMMANDS, SWEEP_OUTBOX } from './maintenance.js'
import { outboxPage } from './relay/pg-outbox.js'
import { NEWEST } from './reading/newest.js'
import { allPage, categoryPage, LOOKED_AT, pgEvents, STREAM_PAGE } from './reading/reader.js'
import { OTHERS_EVENTS } from './append/other-writers.js'
import { eventsByStream } from './reading/consistent-read.js'
import { SAVE } from './reading/snapshots.js'
import { change, publishTally, tally, tallyType } from './testing/tally.js'
import { KEPT_ANSWERS } from './integrity/transfer.js'
import { otherThanKnown } from './integrity/verify-all.js'
import { RECENT } from './integrity/verify-recent.js'

/** A partition and an archive hold 10,000 positions; `a-<n>` has lived through all, `young-<n>` only through the last. */
const PARTITIONS = 4
const ARCHIVE = 'events_elsewhere'

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Cond'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Join Filter'?: number
  readonly Plans?: readonly PlanNode[]
}

const nodesOf = function* (node: PlanNode): Generator<PlanNode> {
  yield node
  for (const each of node.Plans ?? []) yield* nodesOf(each)
}

describe('the statements of a store that has grown', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase(eventStoreMigrations)
    pool = createPool({ ...database, statementTimeout_ms: 60_000 })
    const {
      rows: [first],
    } = await pool.query<{ base: bigint }>(
      'UPDATE store SET partition_size = 10000, position = partitioned_to - 1 RETURNING position + 1 AS base',
    )
    const base = first?.base ?? 0n
    await pool.query('UPDATE store SET partitioned_to = add_partitions($1, $2), position = $2', [
      base,
      base + BigInt(PARTITIONS) * 10_000n - 1n,
    ])
    await pool.query(`DROP TABLE events_0`)
    await pool.query(`DELETE FROM partitions WHERE name = 'events_0'`)
    await pool.query(`INSERT INTO streams SELECT 'a-' || n, 'a', 20, '', 0, 0, NULL FROM generate_series(1, 2000) n`)
    await pool.query(`INSERT INTO streams SELECT 'young-' || n, 'young', 1, '', 0, $1, NULL FROM generate_series(1, 2000) n`, [
      base + 30_000n,
    ])
    await pool.query(
      `INSERT INTO events SELECT $1 + n, 'a-' || (n % 2000 + 1), n / 2000 + 1, 'T', 1, '{}', '{}', '', n FROM generate_series(0, 37999) n`,
      [base],
    )
    await pool.query(
      `INSERT INTO events SELECT $1 + 37999 + n, 'young-' || n, 1, 'T', 1, '{}', $2, '', n FROM generate_series(1, 2000) n`,
      [base, Buffer.from('{"actor":"a","correlationId":"c","causationId":"x","commandId":"y"}')],
    )
    await pool.query(`CREATE TABLE ${ARCHIVE} (LIKE events, PRIMARY KEY (position), UNIQUE (stream_id, version))`)
    await pool.query(`INSERT INTO ${ARCHIVE} SELECT n, 'old-' || n, 1, 'T', 1, '{}', '{}', '', n FROM generate_series(1, 10000) n`)
    await pool.query(`INSERT INTO outbox SELECT n, 0, 't', 'k', 'T', 1, NULL, '{}', '{}', 0 FROM generate_series(1, 20000) n`)
    await pool.query(
      `INSERT INTO commands SELECT CASE WHEN n % 2 = 0 THEN 'http:' ELSE '' END || n, 'f', '', n FROM generate_series(1, 20000) n`,
    )
    await pool.query('ANALYZE')
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  const planOf = async (statement: string): Promise<string> => {
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN (GENERIC_PLAN) ${statement}`)
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  }

  it.each([
    ['a page of a stream', STREAM_PAGE],
    ['a page of all', allPage([])],
    ['a page of all and an archive', allPage([ARCHIVE])],
    ['a page of a category', categoryPage([])],
    ["the relay's next page", outboxPage([])],
    ['a page of a relay that was set back', outboxPage([ARCHIVE])],
    ['every event by stream', eventsByStream([])],
    ['every event by stream, of an archive too', eventsByStream([ARCHIVE])],
    ['what other writers appended', OTHERS_EVENTS],
    ["a checkpoint's heads", otherThanKnown([])],
    ['a snapshot of what is stored', SAVE],
    ['kept answers that are exported', KEPT_ANSWERS],
    ['answers that are to be forgotten', SWEEP_COMMANDS],
    ['messages that the relay has passed', SWEEP_OUTBOX],
  ])('%s is found by an index and not by reading everything', async (_, statement) => {
    const plan = await planOf(statement)
    expect(plan).toMatch(/Index/)
    expect(plan).not.toMatch(/Seq Scan on (events|outbox|commands)/)
  })

  it('find a page of a rare category by the index of positions alone, and drop no more rows than a trip may look at', async () => {
    // 2,000 of 40,000 events, after all the others; as a connection plans it that has asked often.
    const client = await pool.connect()
    try {
      await client.query('SET plan_cache_mode = force_generic_plan')
      await client.query(`PREPARE page (bigint, int, bigint, text, int) AS ${categoryPage([])}`)
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page (0, 1000, 9000000000000, 'young', ${LOOKED_AT})`,
      )
      const nodes = [...nodesOf(rows[0]!['QUERY PLAN'][0].Plan)]
      const scans = nodes.filter((node) => /^events_\d+$/.test(node['Relation Name'] ?? '') && node['Actual Loops'] > 0)
      expect(scans.length).toBeGreaterThan(0)
      for (const scan of scans) {
        expect([scan['Node Type'], scan['Index Cond']]).toEqual([
          expect.stringMatching(/^Index Scan/),
          expect.stringMatching(/"?position"? > /),
        ])
        expect(scan['Rows Removed by Filter'] ?? 0).toBe(0)
      }
      const read = scans.reduce((sum, scan) => sum + scan['Actual Rows'] * scan['Actual Loops'], 0)
      const dropped = nodes.reduce(
        (sum, node) => sum + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Join Filter'] ?? 0),
        0,
      )
      expect(read).toBeGreaterThan(LOOKED_AT / 2)
      // Partitions are merged in order, each one row ahead.
      expect(read).toBeLessThanOrEqual(LOOKED_AT + PARTITIONS)
      expect(dropped).toBeLessThanOrEqual(LOOKED_AT)
    } finally {
      client.release(true)
    }
  })

  it('find each event of a rare category once, however many trips see none of it', async () => {
    const reader = pgEvents(pool, new Map(), systemClock)
    const seen: string[] = []
    for await (const { stream } of reader.readAll({ category: 'young' })) seen.push(stream)
    expect(seen).toEqual(Array.from({ length: 2_000 }, (_, at) => `young-${at + 1}`))
    let some = 0
    for await (const _ of reader.readAll({ category: 'young', limit: 1_500 })) some++
    expect(some).toBe(1_500)
    for await (const _ of reader.readAll({ category: 'nobody' })) throw new Error('there is none')
  })

  it.each([
    ['a young stream', 'young-7', 1],
    ['one that has lived through all partitions', 'a-7', PARTITIONS],
  ])('look for %s only where it can be', async (_, stream, looked) => {
    const text = STREAM_PAGE.replaceAll('$1', `'${stream}'`)
      .replaceAll('$2', '1')
      .replaceAll('$3', '1000')
      .replaceAll('$4', '9')
      .replaceAll('$5', '99999')
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ${text}`)
    const scans = rows.map((row) => row['QUERY PLAN']).filter((line) => /Scan .*on events_\d+ x_\d/.test(line))
    expect(scans.filter((line) => !line.includes('never executed'))).toHaveLength(looked)
  })

  it.each([
    ['hold against its hash', RECENT],
    ['hold against what it says', NEWEST],
  ])('look for the event before each of the newest ones, to %s, only where its stream can be', async (_, statement) => {
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ${statement.replaceAll('$1', '50')}`,
    )
    const scans = rows.map((row) => row['QUERY PLAN']).filter((line) => /Scan .*on events_\d+ [xb]_\d/.test(line))
    expect(scans).toHaveLength(PARTITIONS)
    expect(scans.filter((line) => !line.includes('never executed'))).toHaveLength(1)
  })

  it('leave no index unused, but those that hold a table to its keys', async () => {
    const own = createPool({ ...database, statementTimeout_ms: 60_000 })
    const store = await openEventStore({
      pool: own,
      postgres: database,
      types: [tallyType as AnyStreamType],
      publish: publishTally,
      clock: systemClock,
      app: 'test',
    })
    for (let at = 0; at < 3; at++) await store.execute(change(`c${at}`, 'x', 1))
    await store.load(tally('x'))
    await own.query(outboxPage([]), [0n, 10, null])
    await own.query('UPDATE relay SET position = 100')
    await sweep(own, systemClock, 0)
    await store.close()
    // What a connection has counted is told at its end.
    await own.end()
    const unused = async () => {
      const { rows } = await pool.query<{ index: string }>(
        `SELECT DISTINCT regexp_replace(indexrelname, '^events_[0-9]+_', 'events_') AS index FROM pg_stat_user_indexes WHERE schemaname = $1
        AND relname <> '${ARCHIVE}' GROUP BY 1 HAVING sum(idx_scan) = 0 ORDER BY 1`,
        [database.schema],
      )
      return rows.map(({ index }) => index)
    }
    const keys = new Set(['migrations_pkey', 'partitions_pkey', 'relay_pkey', 'store_pkey'])
    for (let tries = 0; tries < 2_000 && (await unused()).some((index) => !keys.has(index)); tries++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    expect((await unused()).filter((index) => !keys.has(index))).toEqual([])
  })
})
