import type pg from 'pg'
import type { JsonObject } from '#kernel'
import type { StreamEntry } from '../append/decide.js'
import { knownShapeOf } from './loader.js'
import { KEPT_AT } from '../sql/partitions.js'
import type { StreamRef } from '../store.js'

const MOST_WAITING = 1_000

export const SAVE = `
INSERT INTO snapshots (stream_id, shape, version, hash, recorded_at, state)
SELECT $1, $2, $3, $4, $5, $6 FROM events
WHERE stream_id = $1 AND version = $3 AND hash = $4 AND ${KEPT_AT} >= (SELECT since FROM streams WHERE stream_id = $1)
ON CONFLICT (stream_id, shape) DO UPDATE
SET version = excluded.version, hash = excluded.hash, recorded_at = excluded.recorded_at, state = excluded.state
WHERE snapshots.version < excluded.version`

const FORGET_OTHER_SHAPES = 'DELETE FROM snapshots WHERE stream_id = $1 AND shape <> $2 AND version < $3'

/**
 * Takes snapshots off the request path, one at a time. What does not fit the queue is left out: the stream's next append asks again.
 * Only a state whose last event is stored, with that hash, becomes one, so that nothing of a rolled back transaction does.
 */
export class Snapshotter {
  readonly #waiting = new Map<string, { ref: StreamRef; entry: StreamEntry }>()
  #working: Promise<void> | undefined

  constructor(
    private readonly pool: pg.Pool,
    private readonly onTaken: (stream: string, version: number) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  request(stream: string, ref: StreamRef, entry: StreamEntry): void {
    if (this.#waiting.size >= MOST_WAITING && !this.#waiting.has(stream)) return
    this.#waiting.set(stream, { ref, entry })
    this.#working ??= this.#work()
  }

  /** Resolves when none waits. */
  async idle(): Promise<void> {
    await this.#working
  }

  async #work(): Promise<void> {
    await Promise.resolve()
    for (;;) {
      const next = this.#waiting.entries().next()
      if (next.done) break
      const [stream, { ref, entry }] = next.value
      this.#waiting.delete(stream)
      await this.#save(stream, ref, entry).catch(this.onError)
    }
    this.#working = undefined
  }

  async #save(stream: string, ref: StreamRef, entry: StreamEntry): Promise<void> {
    const json = ref.type.snapshot ? ref.type.snapshot.write(entry.state) : (entry.state as JsonObject)
    const shape = knownShapeOf(ref)
    const { rowCount } = await this.pool.query({
      name: 'save_snapshot',
      text: SAVE,
      values: [stream, shape, entry.version, entry.head, entry.time, Buffer.from(JSON.stringify(json))],
    })
    if (!rowCount) return
    await this.pool.query({ name: 'forget_shapes', text: FORGET_OTHER_SHAPES, values: [stream, shape, entry.version] })
    this.onTaken(stream, entry.version)
  }
}
