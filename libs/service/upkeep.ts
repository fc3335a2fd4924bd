import {
  archive,
  ARCHIVE_STATEMENT_MS,
  typesByCategory,
  writeCheckpoint,
  type AnyStreamType,
  type Archived,
  type CheckpointSeal,
} from '#event-store'
import { systemClock, type Clock } from '#kernel'
import { createPool } from '#postgres'
import Type from 'typebox'
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'

/** Where a store is: what its daily commands need to know. */
export interface StorePlace {
  readonly name: string
  readonly DATABASE_URL: string
  readonly DATABASE_SCHEMA: string
}

export const checkpointSettings = Type.Object({
  CHECKPOINT_KEY: Type.String({
    minLength: 1,
    maxLength: 1_000,
    description:
      'Signs checkpoints: the Ed25519 key that `openssl genpkey -algorithm ed25519` writes, or its middle line. For `checkpoint` alone: no app and no database sees it.',
  }),
})

const DAY_MS = 86_400_000
const BUFFER_BYTES = 65_536

/** PKCS#8, as PEM or as the base64 inside it: a line of an environment file holds only that. The message of the error holds nothing of it. */
export const signingKey = (text: string): KeyObject => {
  try {
    const der = Buffer.from(text.replaceAll(/-----[^-]*-----|\s/g, ''), 'base64')
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below.
  }
  throw new Error('CHECKPOINT_KEY: must be an Ed25519 key: openssl genpkey -algorithm ed25519')
}

/** The public half as the middle line of its PEM: what whoever verifies is given. */
export const publicLine = (key: KeyObject): string => createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64')

export interface KeptCheckpoint extends CheckpointSeal {
  readonly file: string
}

/**
 * A checkpoint of the app's store as a new file in `folder`, whole or not there, named by app and time; of its older ones the newest stay, `keep` in
 * all. The folder is not the database's, and is copied to where whoever can write to the database cannot.
 */
export const keepCheckpoint = (
  place: StorePlace,
  key: KeyObject,
  { folder, keep, clock = systemClock }: { readonly folder: string; readonly keep: number; readonly clock?: Pick<Clock, 'now'> },
): Promise<KeptCheckpoint> =>
  withPool(place, async (pool) => {
    const now_ms = clock.now()
    const file = join(folder, `${place.name}-${new Date(now_ms).toISOString().replaceAll(/[:.]/g, '-')}.heads`)
    const partial = `${file}.partial`
    const handle = await open(partial, 'wx', 0o600)
    let seal: CheckpointSeal
    try {
      let waiting = ''
      seal = await writeCheckpoint(pool, key, now_ms, async (line) => {
        waiting += `${line}\n`
        if (waiting.length < BUFFER_BYTES) return
        await handle.appendFile(waiting)
        waiting = ''
      })
      await handle.appendFile(waiting)
      await handle.sync()
      await handle.close()
    } catch (error) {
      await handle.close().catch(() => undefined)
      await rm(partial, { force: true })
      throw error
    }
    await rename(partial, file)
    // A time in a name sorts as text.
    const kept = (await readdir(folder)).filter((each) => each.startsWith(`${place.name}-2`) && each.endsWith('.heads')).toSorted()
    for (const old of kept.slice(0, -keep)) await rm(join(folder, old), { force: true })
    return { ...seal, file }
  })

/** The same, line by line to whoever takes it. */
export const streamCheckpoint = (place: StorePlace, key: KeyObject, write: (line: string) => Promise<void>): Promise<CheckpointSeal> =>
  withPool(place, (pool) => writeCheckpoint(pool, key, systemClock.now(), write))

/** Archives what has grown old in the app's store, and says of each partition what became of it. */
export const archiveOld = (
  place: StorePlace,
  types: readonly AnyStreamType[],
  options: {
    readonly idleDays: number
    readonly signal: AbortSignal
    readonly onArchived: (done: Archived) => void
    readonly onUnreadable: (stream: string, error: unknown) => void
  },
): Promise<void> =>
  withPool(place, async (pool) => {
    const { idleDays, signal, onArchived, onUnreadable } = options
    const old = archive(pool, typesByCategory(types), systemClock, { idle_ms: idleDays * DAY_MS, signal, onUnreadable })
    for await (const done of old) onArchived(done)
  })

const withPool = async <T>({ name, DATABASE_URL, DATABASE_SCHEMA }: StorePlace, work: (pool: pg.Pool) => Promise<T>): Promise<T> => {
  const pool = createPool({
    url: DATABASE_URL,
    schema: DATABASE_SCHEMA,
    applicationName: `${name}-upkeep`,
    maxConnections: 2,
    statementTimeout_ms: ARCHIVE_STATEMENT_MS,
  })
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}
