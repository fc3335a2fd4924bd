import {
  archive,
  ARCHIVE_STATEMENT_MS,
  ArchiveRefused,
  ArchiveUnusable,
  listPartitions,
  restoreStream,
  UnknownEvent,
  type Archived,
} from '#event-store'
import { systemClock } from '#kernel'
import { InvalidArgumentError, type Command } from 'commander'
import { Refused, type Io } from './io.js'
import { atStore, type PlaceOptions } from './place.js'

type Options = PlaceOptions & { readonly json?: true }
type Verb = (name: string, description: string) => Command

const DAY_MS = 86_400_000
const MOST_UNREADABLE_SAID = 100

/** `bahi events partitions`, `archive` and `restore`: how a store grows, and what of it is set aside. */
export const registerArchives = (verb: Verb, io: Io): void => {
  verb('partitions', 'the partitions of the events and the archives, the oldest first').action((options: Options) =>
    partitions(io, options),
  )

  verb('archive', 'set closed streams aside with the partitions that hold them, and move living ones forward; holds up nobody')
    .option('--idle-days <days>', 'only partitions to which nothing was appended for so long', days, 90)
    .option('--dry-run', 'say what would become of them, and change nothing')
    .action((options: Options & { idleDays: number; dryRun?: boolean }) => archiveAll(io, options))

  verb('restore <streams...>', 'bring archived streams back now; else the next who asks for one does').action(
    (streams: readonly string[], options: Options) => restore(io, streams, options),
  )
}

const partitions = (io: Io, { json, ...place }: Options) =>
  atStore(place, async ({ pool }) => {
    for (const { name, since, upto, archivedAt, size_bytes } of await listPartitions(pool)) {
      const at = archivedAt === undefined ? undefined : new Date(archivedAt).toISOString()
      if (json) {
        const archived = at === undefined ? {} : { archivedAt: at }
        const size = size_bytes === undefined ? {} : { size_bytes }
        await io.out(JSON.stringify({ name, since: since.toString(), upto: upto.toString(), ...archived, ...size }))
      } else {
        const size = size_bytes === undefined ? 'not in this database' : `${Math.ceil(size_bytes / 1024)} kB`
        await io.out(`${name}  positions ${since} to ${upto}  ${size}${at === undefined ? '' : `  archived ${at}`}`)
      }
    }
  })

const archiveAll = (io: Io, { json, idleDays, dryRun = false, ...place }: Options & { idleDays: number; dryRun?: boolean }) =>
  atStore(
    place,
    async ({ pool, types }) => {
      let unreadable = 0
      // What a parser says may quote what it could not parse.
      const onUnreadable = (stream: string, error: unknown) => {
        if (unreadable++ < MOST_UNREADABLE_SAID)
          io.say(`${stream} cannot be read, and stays in use: ${error instanceof UnknownEvent ? error.message : 'damaged, see verify'}`)
      }
      const options = { idle_ms: idleDays * DAY_MS, dryRun, signal: io.signal, onUnreadable }
      let none = true
      try {
        for await (const done of archive(pool, types, systemClock, options)) {
          none = false
          await io.out(json ? JSON.stringify({ ...done, dryRun }) : archivedLine(done, dryRun))
        }
      } catch (error) {
        throw error instanceof ArchiveRefused ? new Refused(error.message) : error
      }
      if (none) io.say(`no partition is full, published, and without an append for ${idleDays} days`)
    },
    ARCHIVE_STATEMENT_MS,
  )

const archivedLine = ({ partition, streams, moved, unreadable }: Archived, dryRun: boolean): string => {
  const done = dryRun
    ? `${streams} streams would be archived, ${moved} events moved forward`
    : `${streams} streams archived, ${moved} events moved forward`
  return `${partition}: ${done}${unreadable === 0 ? '' : `, ${unreadable} streams could not be read`}`
}

const restore = (io: Io, streams: readonly string[], { json, ...place }: Options) =>
  atStore(place, async ({ pool }) => {
    for (const stream of streams) {
      const { rows } = await pool.query<{ archive: string | null }>('SELECT archive FROM streams WHERE stream_id = $1', [stream])
      if (!rows[0]) throw new Refused(`there is no stream ${stream}`)
      const { archive: from } = rows[0]
      await restoreStream(pool, stream).catch((error: unknown) => {
        throw error instanceof ArchiveUnusable ? new Refused(error.message) : error
      })
      if (json) await io.out(JSON.stringify({ stream, restored: from !== null, ...(from === null ? {} : { from }) }))
      else await io.out(from === null ? `${stream} is not archived` : `${stream} is back from ${from}`)
    }
  })

const days = (text: string): number => {
  if (!/^[0-9]{1,5}$/.test(text)) throw new InvalidArgumentError('It is a whole number of days.')
  return Number(text)
}
