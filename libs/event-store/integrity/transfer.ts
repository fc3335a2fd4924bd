import { asPg, pgTransactions, type PgTransaction } from '#postgres'
import type pg from 'pg'
import { ArchiveMissing, eventsWith, quoted, strayIn } from '../archive/archives.js'
import { byteaArray, int4Array, int8Array, textArray } from '../reading/binary-array.js'
import { eventHash, NO_HASH } from './hash-chain.js'
import { EVENT_COLUMNS, type EventRow } from '../reading/recorded.js'
import { inSnapshot } from '../reading/consistent-read.js'
import { isOfCategory, type StreamTypes } from '../stream.js'

const PAGE = 2_000

const after = (archives: readonly string[]): string => `
SELECT ${EVENT_COLUMNS.replaceAll(/\w+/g, 'e.$&')}, s.category FROM ${eventsWith(archives)} e JOIN streams s ON s.stream_id = e.stream_id
WHERE e.position > $1 AND e.kept_at > $1 ORDER BY e.position LIMIT ${PAGE}`

/** An event on a line: payload and metadata as the text whose bytes were hashed. */
interface Line {
  readonly position: string
  readonly stream: string
  readonly category: string
  readonly version: number
  readonly type: string
  readonly schemaVersion: number
  readonly recordedAt: number
  readonly payload: string
  readonly metadata: string
  readonly hash: string
}

/** A command on a line: the answer that is given again when it is repeated. No chain covers it. */
interface CommandLine {
  readonly command: string
  readonly fingerprint: string
  readonly answer: string
  readonly recordedAt: number
}

/** How much of each. */
export interface Transferred {
  readonly events: number
  /** Commands whose answers are kept. */
  readonly commands: number
}

export interface Exported extends Transferred {
  /** What the relay had not passed: nobody who imports this sends it. Of events, what they are published as; messages that no event carries are not in an export. */
  readonly unsent: { readonly events: number; readonly messages: number }
}

/**
 * Every event of the store as it is at one moment, archives among it, in commit order, and then the kept answer of every command, as lines of JSON.
 * Personal data in it stays sealed. Throws `ArchiveMissing` and `ArchiveUnsound`.
 */
export const exportEvents = (pool: pg.Pool, write: (line: string) => Promise<void>): Promise<Exported> =>
  inSnapshot(pool, async (client, archives) => {
    const gone = archives.find(({ here }) => !here)
    if (gone) throw new ArchiveMissing(gone.name)
    const relay = (await client.query<{ position: bigint; messages: bigint }>(UNSENT)).rows[0] ?? { position: 0n, messages: 0n }
    const { events, unsent } = await exportLines(
      client,
      archives.map(({ name }) => name),
      relay.position,
      write,
    )
    return { events, commands: await exportCommands(client, write), unsent: { events: unsent, messages: Number(relay.messages) } }
  })

const UNSENT = 'SELECT r.position, (SELECT count(*) FROM outbox o WHERE o.position > r.position) AS messages FROM relay r'

const exportLines = async (
  client: pg.PoolClient,
  archives: readonly string[],
  sent: bigint,
  write: (line: string) => Promise<void>,
): Promise<{ readonly events: number; readonly unsent: number }> => {
  const text = after(archives)
  let [events, unsent] = [0, 0]
  for (let position = 0n; ;) {
    const { rows } = await client.query<EventRow & { category: string }>({ text, values: [position] })
    for (const row of rows) {
      if (row.position === position) throw await strayOf(client, archives, row)
      position = row.position
      if (position > sent) unsent++
      await write(JSON.stringify(lineOf(row)))
    }
    events += rows.length
    if (rows.length < PAGE) return { events, unsent }
  }
}

export const KEPT_ANSWERS = `SELECT command_id, fingerprint, answer, recorded_at FROM commands WHERE command_id > $1 ORDER BY command_id LIMIT ${PAGE}`

const exportCommands = async (client: pg.PoolClient, write: (line: string) => Promise<void>): Promise<number> => {
  let commands = 0
  for (let from = ''; ;) {
    const { rows } = await client.query<{ command_id: string; fingerprint: string; answer: Buffer; recorded_at: bigint }>(KEPT_ANSWERS, [
      from,
    ])
    for (const { command_id: command, fingerprint, answer, recorded_at } of rows) {
      const line: CommandLine = { command, fingerprint, answer: answer.toString(), recordedAt: Number(recorded_at) }
      await write(JSON.stringify(line))
      from = command
    }
    commands += rows.length
    if (rows.length < PAGE) return commands
  }
}

/** An event is there twice: keys are each table's own. */
const strayOf = async (client: pg.PoolClient, archives: readonly string[], { stream_id, position }: EventRow): Promise<Error> => {
  for (const archive of archives) {
    const { rowCount } = await client.query(
      `SELECT FROM ${quoted(archive)} e LEFT JOIN streams s ON s.stream_id = e.stream_id WHERE e.position = $1 AND s.archive IS DISTINCT FROM $2`,
      [position, archive],
    )
    if (rowCount) return strayIn(archive, stream_id)
  }
  return new Error(`the event at position ${position}, of ${stream_id}, is there twice`)
}

const lineOf = (row: EventRow & { category: string }): Line => ({
  position: row.position.toString(),
  stream: row.stream_id,
  category: row.category,
  version: Number(row.version),
  type: row.type,
  schemaVersion: row.schema_version,
  recordedAt: Number(row.recorded_at),
  payload: row.payload.toString(),
  metadata: row.metadata.toString(),
  hash: row.hash.toString('hex'),
})

/** What was to be imported is not a sound export, or the store is not empty. Nothing of it was kept. */
export class ImportRefused extends Error {}

/**
 * Brings exported events into an empty store: the same positions, bytes and hashes, each of which is recomputed on the way; all or nothing. A command that
 * was answered there is answered the same here, and not done again; an export of before has no answers, and is taken without. The
 * store keeps its own incarnation. The relay is set behind them, so that nothing is published a second time. `types` are those of the app: each stream's
 * category is held against them.
 */
export const importEvents = (pool: pg.Pool, lines: AsyncIterable<string>, types?: StreamTypes): Promise<Transferred> =>
  pgTransactions(pool).run(async (transaction) => {
    const tx = asPg(transaction)
    await tx.query('SELECT pg_advisory_xact_lock(724211002, $1::regclass::oid::bigint::bit(32)::integer)', ['store'])
    const { rows } = await tx.query<{ used: boolean }>(USED)
    if (rows[0]?.used !== false) throw new ImportRefused('the store is not empty')
    const heads = new Map<string, Head>()
    let [events, commands, position] = [0, 0, 0n]
    let page: Line[] = []
    const answers = answersInto(tx)
    let partitionedTo = 0n
    const flush = async () => {
      if (page.length > 0) await tx.query({ name: 'import_events', text: INSERT_EVENTS, values: columnsOf(page) })
      page = []
    }
    for await (const text of lines) {
      if (text === '') continue
      const number = events + commands + 1
      const read = parsed(text, number)
      if ('command' in read) {
        await answers.put(read, number)
        commands++
        continue
      }
      const line = checked(read, number, position, heads, types)
      position = BigInt(line.position)
      if (position >= partitionedTo) {
        const made = await tx.query<{ to: bigint }>({ text: 'SELECT add_partitions($1, $1) AS to', values: [position] })
        partitionedTo = made.rows[0]?.to ?? 0n
      }
      events++
      page.push(line)
      if (page.length === PAGE) await flush()
    }
    await flush()
    await answers.flush()
    await tx.query({
      text: INSERT_STREAMS,
      values: [
        textArray([...heads.keys()]),
        textArray([...heads.values()].map(({ category }) => category)),
        int8Array([...heads.values()].map(({ version }) => version)),
        byteaArray([...heads.values()].map(({ hash }) => hash)),
        int8Array([...heads.values()].map(({ time }) => time)),
        int8Array([...heads.values()].map(({ since }) => since)),
      ],
    })
    await tx.query('UPDATE store SET position = greatest(position, $1), partitioned_to = greatest(partitioned_to, $2)', [
      position,
      partitionedTo,
    ])
    await tx.query('UPDATE relay SET position = greatest(position, $1)', [position])
    return { events, commands }
  })

const USED = 'SELECT EXISTS (SELECT FROM events) OR EXISTS (SELECT FROM streams) OR EXISTS (SELECT FROM commands) AS used'

const INSERT_COMMANDS = `
INSERT INTO commands (command_id, fingerprint, answer, recorded_at) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[])`

/** Puts kept answers into the store, a page at a time; each of another command. */
const answersInto = (tx: PgTransaction) => {
  let page: CommandLine[] = []
  let last: Buffer = Buffer.alloc(0)
  const flush = async (): Promise<void> => {
    if (page.length === 0) return
    const values = [
      textArray(page.map(({ command }) => command)),
      textArray(page.map(({ fingerprint }) => fingerprint)),
      byteaArray(page.map(({ answer }) => Buffer.from(answer))),
      int8Array(page.map(({ recordedAt }) => recordedAt)),
    ]
    page = []
    await tx.query({ name: 'import_commands', text: INSERT_COMMANDS, values })
  }
  const put = async (line: CommandLine, number: number): Promise<void> => {
    const id = Buffer.from(line.command)
    // As the store orders them, by their bytes.
    if (Buffer.compare(id, last) <= 0) throw new ImportRefused(`line ${number} is not in the order of commands`)
    last = id
    if (page.push(line) === PAGE) await flush()
  }
  return { put, flush }
}

interface Head {
  readonly category: string
  readonly version: number
  readonly hash: Buffer
  readonly time: number
  /** Position of its first event. */
  readonly since: number
}

const INSERT_EVENTS = `
INSERT INTO events (${EVENT_COLUMNS})
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::integer[], $6::bytea[], $7::bytea[], $8::bytea[], $9::bigint[])`

const INSERT_STREAMS = `
INSERT INTO streams (stream_id, category, version, head, recorded_at, since)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[])`

const columnsOf = (page: readonly Line[]) => [
  int8Array(page.map(({ position }) => Number(position))),
  textArray(page.map(({ stream }) => stream)),
  int8Array(page.map(({ version }) => version)),
  textArray(page.map(({ type }) => type)),
  int4Array(page.map(({ schemaVersion }) => schemaVersion)),
  byteaArray(page.map(({ payload }) => Buffer.from(payload))),
  byteaArray(page.map(({ metadata }) => Buffer.from(metadata))),
  byteaArray(page.map(({ hash }) => Buffer.from(hash, 'hex'))),
  int8Array(page.map(({ recordedAt }) => recordedAt)),
]

/** One line, held against its stream's head, which it then becomes. */
const checked = (line: Line, number: number, position: bigint, heads: Map<string, Head>, types: StreamTypes | undefined): Line => {
  const before = heads.get(line.stream)
  const { stream, category, version, type, schemaVersion, recordedAt: time } = line
  const payload = Buffer.from(line.payload)
  const metadata = Buffer.from(line.metadata)
  const hash = eventHash({ stream, version, type, schemaVersion, time, payload, metadata }, before?.hash ?? NO_HASH)
  if (version !== (before?.version ?? 0) + 1 || hash.toString('hex') !== line.hash)
    throw new ImportRefused(`line ${number}: ${stream} does not go on at version ${version} as its hashes say`)
  if (BigInt(line.position) <= position) throw new ImportRefused(`line ${number} is not in the order of positions`)
  if (!isOfCategory(types, stream, category)) throw new ImportRefused(`line ${number}: ${stream} is not of the category that it says`)
  if (before && before.category !== category) throw new ImportRefused(`line ${number}: ${stream} has two categories`)
  heads.set(stream, { category, version, hash, time, since: before?.since ?? Number(line.position) })
  return line
}

const parsed = (text: string, number: number): Line | CommandLine => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new ImportRefused(`line ${number} is not JSON`)
  }
  if (isLine(json) || isCommandLine(json)) return json
  throw new ImportRefused(`line ${number} is not an exported event, nor an answer to a command`)
}

const isCommandLine = (json: unknown): json is CommandLine => {
  const line = (json ?? {}) as Readonly<Record<string, unknown>>
  const texts = [line['command'], line['fingerprint'], line['answer']]
  return texts.every((each) => typeof each === 'string') && Number.isSafeInteger(line['recordedAt'])
}

const isLine = (json: unknown): json is Line => {
  const line = (json ?? {}) as Readonly<Record<string, unknown>>
  const texts = [line['stream'], line['category'], line['type'], line['payload'], line['metadata'], line['hash']]
  const numbers = [line['version'], line['schemaVersion'], line['recordedAt']]
  const position = line['position']
  return (
    texts.every((each) => typeof each === 'string') &&
    numbers.every((each) => Number.isSafeInteger(each)) &&
    typeof position === 'string' &&
    /^[1-9][0-9]{0,15}$/.test(position)
  )
}
