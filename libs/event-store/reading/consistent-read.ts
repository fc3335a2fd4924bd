import { copyOut } from '#postgres'
import pg from 'pg'
import { detachedArchives, eventsWith, type ArchiveHere } from '../archive/archives.js'
import { CHAIN_COLUMNS, chainReader, type ChainedEvent } from '../integrity/hash-chain.js'

/** Rows of one trip. */
const PAGE = 2_000

export interface StreamRow {
  readonly stream_id: string
  readonly category: string
  readonly version: bigint
  readonly head: Buffer
  readonly recorded_at: bigint
  /** Where all its events are, if not in `events`. */
  readonly archive: string | null
}

export const eventsByStream = (archives: readonly string[]): string =>
  `SELECT ${CHAIN_COLUMNS} FROM ${eventsWith(archives)} e WHERE (stream_id, version) > ($1, $2) ORDER BY stream_id, version LIMIT ${PAGE}`
const STREAMS = `SELECT stream_id, category, version, head, recorded_at, archive FROM streams WHERE stream_id > $1 ORDER BY stream_id LIMIT ${PAGE}`

/** Everything that `work` reads is of one moment, however long it takes. What was an archive then, and what was not, stays so; a partition that is to become one waits. */
export const inSnapshot = async <T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient, archives: readonly ArchiveHere[]) => Promise<T>,
): Promise<T> => {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    // Before there is a snapshot.
    await client.query('LOCK TABLE events IN ACCESS SHARE MODE')
    return await work(client, await detachedArchives(client))
  } finally {
    await client.query('ROLLBACK').catch((failure: Error) => (broken = failure))
    client.release(broken)
  }
}

/** Streams by name, in the order of their bytes; a page at a time. */
export const streamRows = async function* (db: pg.Pool | pg.PoolClient, after = ''): AsyncGenerator<StreamRow> {
  for (let from = after; ;) {
    const { rows } = await db.query<StreamRow>({ name: 'inspect_streams', text: STREAMS, values: [from] })
    yield* rows
    const last = rows.at(-1)
    if (!last || rows.length < PAGE) return
    from = last.stream_id
  }
}

/** Every event of every stream, held to its hash, in the order of streams and versions, a page at a time; the next is fetched while one is worked on. */
export const chainPagesByStream = async function* (
  client: pg.PoolClient,
  archives: readonly string[],
): AsyncGenerator<readonly ChainedEvent[]> {
  const text = eventsByStream(archives)
  const read = chainReader()
  const page = (stream: string, version: number) =>
    copyOut(
      client,
      text.replaceAll(/\$[12]/g, (parameter) => (parameter === '$1' ? pg.escapeLiteral(stream) : version.toString())),
      read,
    )
  let coming = page('', 0)
  for (;;) {
    const rows = await coming
    const last = rows.at(-1)
    if (!last) return
    const isLast = rows.length < PAGE
    if (!isLast) {
      coming = page(last.stream, last.version)
      // Told when it is awaited.
      coming.catch(() => undefined)
    }
    yield rows
    if (isLast) return
  }
}
