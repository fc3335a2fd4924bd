import { ArchiveUnusable, restoreStream } from '../archive/archives.js'
import { byteaArray, int8Array, textArray } from './binary-array.js'
import type { StreamEntry } from '../append/decide.js'
import { NO_HASH } from '../integrity/hash-chain.js'
import { foldRows, groupByOrdinal, type FoldedStream, type Query, type StoreRow } from './rows.js'
import type { StreamRef } from '../store.js'
import { shapeOf } from '../stream.js'

/** Events of one stream in one trip. */
const PAGE = 10_000

export interface WantedStream {
  readonly stream: string
  readonly ref: StreamRef
  /** What the caller knows already; only what comes after it is loaded. */
  readonly have?: StreamEntry | undefined
}

export interface LoadedStream {
  readonly entry: StreamEntry
  readonly snapshotVersion: number
  readonly foldedEvents: number
}

export interface Loaded {
  readonly loaded: ReadonlyMap<string, LoadedStream>
  /** Why a stream could not be loaded: its archive is away, an event of it cannot be read. The others do not suffer for it. */
  readonly failed: ReadonlyMap<string, unknown>
}

const shapes = new WeakMap<object, string>()

export const knownShapeOf = (ref: StreamRef): string => {
  const known = shapes.get(ref.type) ?? shapeOf(ref.type)
  shapes.set(ref.type, known)
  return known
}

/** Loads all in one trip; streams longer than a page take one more for each page, archived ones are brought back first. */
export const loadStreams = async (db: Query, wanted: readonly WantedStream[], inTransaction = false): Promise<Loaded> => {
  const loaded = new Map<string, LoadedStream>()
  const failed = new Map<string, unknown>()
  const askedAgain = new Set<string>()
  let rest = wanted
  while (rest.length > 0) {
    const { rows } = await db.query<StoreRow>({
      name: 'load_streams',
      text: 'SELECT * FROM load_streams($1, $2, $3, $4, $5)',
      values: [
        textArray(rest.map(({ stream }) => stream)),
        textArray(rest.map(({ ref }) => knownShapeOf(ref))),
        int8Array(rest.map(({ have }) => have?.version ?? 0)),
        byteaArray(rest.map(({ have }) => have?.head ?? NO_HASH)),
        PAGE,
      ],
    })
    const groups = groupByOrdinal(rows)
    const more: WantedStream[] = []
    const archived: WantedStream[] = []
    rest.forEach(({ stream, ref, have }, at) => {
      try {
        const folded = foldRows(ref, have, groups.get(at + 1) ?? [])
        if (folded.archived) return void archived.push({ stream, ref, have })
        loaded.set(stream, sum(loaded.get(stream), folded))
        if (folded.complete) return
        if (folded.entry.version === (have?.version ?? 0)) {
          // A statement may see the commit of an append and not know the partition that it made: the next one does.
          if (askedAgain.has(stream)) throw new Error(`events of ${stream} after version ${folded.entry.version} are missing`)
          askedAgain.add(stream)
        }
        more.push({ stream, ref, have: folded.entry })
      } catch (error) {
        failed.set(stream, error)
      }
    })
    for (const each of archived.toSorted((a, b) => (a.stream < b.stream ? -1 : 1))) {
      try {
        await restoreStream(db, each.stream, inTransaction)
        more.push(each)
      } catch (error) {
        if (!(error instanceof ArchiveUnusable)) throw error
        failed.set(each.stream, error)
      }
    }
    rest = more
  }
  for (const stream of failed.keys()) loaded.delete(stream)
  return { loaded, failed }
}

const sum = (before: LoadedStream | undefined, { entry, snapshotVersion, foldedEvents }: FoldedStream): LoadedStream => ({
  entry,
  snapshotVersion: Math.max(before?.snapshotVersion ?? 0, snapshotVersion),
  foldedEvents: (before?.foldedEvents ?? 0) + foldedEvents,
})

/**
 * Loads for many callers at once: while one trip is under way the next collects, so that two trips at most are wanted by anyone.
 * Adaptive like the batches of commands, and with no timer.
 */
export class CoalescingLoader {
  #waiting = new Map<string, { wanted: WantedStream; resolve: ((loaded: LoadedStream) => void)[]; reject: ((error: unknown) => void)[] }>()
  #running = false

  constructor(private readonly load: (wanted: readonly WantedStream[]) => Promise<Loaded>) {}

  need(wanted: WantedStream): Promise<LoadedStream> {
    return new Promise((resolve, reject) => {
      const entry = this.#waiting.get(wanted.stream) ?? { wanted, resolve: [], reject: [] }
      entry.resolve.push(resolve)
      entry.reject.push(reject)
      this.#waiting.set(wanted.stream, entry)
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    await Promise.resolve()
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting.values()].slice(0, 256)
      for (const { wanted } of batch) this.#waiting.delete(wanted.stream)
      try {
        const { loaded, failed } = await this.load(batch.map(({ wanted }) => wanted))
        for (const { wanted, resolve, reject } of batch) {
          const found = loaded.get(wanted.stream)
          if (found) resolve.forEach((give) => give(found))
          else reject.forEach((give) => give(failed.get(wanted.stream) ?? new Error(`${wanted.stream} was not loaded`)))
        }
      } catch (error) {
        for (const { reject } of batch) reject.forEach((give) => give(error))
      }
    }
    this.#running = false
  }
}
