// What the measurements here have in common: callers that wait, and under what conditions they did.
import { randomUUID } from 'node:crypto'
import { cpus } from 'node:os'
import { performance } from 'node:perf_hooks'
import pg from 'pg'

/** Callers that each wait for their answer; appends per second and latencies in ms. `onStart`: when the clock is about to run. */
export const load = async ({ clients, streams, seconds }, append, onStart = async () => undefined) => {
  // Every stream has its first event before the clock runs: what is measured is appends to streams that are there.
  const own = Math.max(1, Math.floor(streams / clients))
  for (let count = 0; count < own; count++)
    await Promise.all(Array.from({ length: clients }, (_, index) => append(`${index}-${count}`, randomUUID())))
  const latencies = []
  await onStart()
  const started = performance.now()
  const until = started + seconds * 1_000
  const client = async (index) => {
    for (let count = 0; ; count++) {
      const before = performance.now()
      if (before >= until) return
      await append(`${index}-${count % own}`, randomUUID())
      latencies.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)))
  const elapsed_s = (performance.now() - started) / 1_000
  return { count: latencies.length, perSecond: latencies.length / elapsed_s, ...quantiles(latencies) }
}

export const median = (runs, by = 'perSecond') => runs.toSorted((a, b) => a[by] - b[by])[Math.floor(runs.length / 2)]

/**
 * The median of each side of a comparison, measured in turns and each round from another side on: what else the machine does, and what the tables have
 * grown to, then meets all of them alike. `sides` are functions that measure once.
 */
export const inTurns = async (rounds, sides, by) => {
  const names = Object.keys(sides)
  const runs = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]
      runs[name].push(await sides[name]())
    }
  return Object.fromEntries(names.map((name) => [name, median(runs[name], by)]))
}

export const quantiles = (latencies) => {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.floor((sorted.length - 1) * share)]
  return { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) }
}

/** What a row of each table, named with its schema, takes and has: `{ 'wallet.events': '10 columns, 2 indexes, 612 bytes' }`, of its newest. */
export const rowsOf = async (url, tables) => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const rows = {}
  for (const table of tables) {
    const of = `SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped) AS columns,
      (SELECT count(*) FROM pg_index WHERE indrelid = coalesce((SELECT max(relid) FROM pg_partition_tree($1) WHERE isleaf), $1::regclass)) AS indexes,
      (SELECT round(avg(pg_column_size(t.*))) FROM (SELECT * FROM ${table} LIMIT 1000) t) AS bytes`
    const { columns, indexes, bytes } = (await client.query(of, [table])).rows[0]
    rows[table] = `${columns} columns, ${indexes} indexes, ${bytes} bytes`
  }
  await client.end()
  return rows
}

/** A line of names and values. */
export const say = (object) =>
  console.log(
    Object.entries(object)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  )

export async function conditionsOf(url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const setting = async (name) => (await client.query(`SHOW ${name}`)).rows[0][name]
  const conditions = {
    cpus: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    node: process.version,
    postgres: await setting('server_version'),
    fsync: await setting('fsync'),
    synchronous_commit: await setting('synchronous_commit'),
  }
  await client.end()
  return conditions
}
