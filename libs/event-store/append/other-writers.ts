import type { QueryResultRow } from 'pg'
import { textArray } from '../reading/binary-array.js'
import { evolve } from './decide.js'
import { hashOf, type EventRow } from '../reading/recorded.js'
import { parseObject, type Query } from '../reading/rows.js'
import type { StateCache } from './state-cache.js'
import { typeOfStream, upcastData, type StreamTypes } from '../stream.js'

/** What is read of them with one batch. What is left out costs a second decision, as all of it did before. */
const MOST_EVENTS = 512
/** A batch of at least this many of which more than a tenth was refused says that others write to the same streams. */
const TELLING = 16
/** So many times in a row without an event of a stream that is kept here: nobody is there any more. */
const MOST_IN_VAIN = 16

interface OthersRow extends EventRow, QueryResultRow {
  /** Up to where the store had come. */
  readonly upto: bigint
}

export const OTHERS_EVENTS = `
SELECT s.position AS upto, e.* FROM store s LEFT JOIN LATERAL (
  SELECT position, stream_id, version, type, schema_version, payload, metadata, hash, recorded_at FROM events
  WHERE position > coalesce($1::bigint, s.position) AND position <= s.position AND stream_id <> ALL ($2::text[]) ORDER BY position LIMIT ${MOST_EVENTS}
) e ON true`

/**
 * Other processes on the same streams. While they are faster, what they appended is brought along with each batch, in the same trip, and the states kept here
 * are carried on by it: so the next batch is decided on what is there, and not refused for whatever they changed since this process last wrote to a stream.
 */
export class OtherWriters {
  #after: bigint | undefined
  #inVain = MOST_IN_VAIN

  constructor(
    private readonly types: StreamTypes,
    private readonly cache: StateCache,
  ) {}

  /** What a batch met. */
  met(commands: number, refused: number): void {
    if (commands < TELLING || refused * 10 <= commands) return
    if (!this.#areThere) this.#after = undefined
    this.#inVain = 0
  }

  get #areThere(): boolean {
    return this.#inVain < MOST_IN_VAIN
  }

  /** To be called right after a batch was sent on the same connection, whose streams are `own`. It does not reject: what is not brought along is not known, as before. */
  async bring(db: Query, own: Iterable<string>): Promise<void> {
    if (!this.#areThere) return
    try {
      const values = [this.#after ?? null, textArray([...own])]
      const { rows } = await db.query<OthersRow>({ name: 'other_writers', text: OTHERS_EVENTS, values })
      this.#after = rows[0]?.upto
      const carried = rows.filter((row) => row.position !== null && this.#carryOn(row)).length
      this.#inVain = carried > 0 ? 0 : this.#inVain + 1
    } catch {
      this.#inVain = MOST_IN_VAIN
    }
  }

  /** Whether the event follows, by its hash, what is kept of its stream, and is now part of it. */
  #carryOn(row: OthersRow): boolean {
    const { stream_id: stream, type, schema_version: schemaVersion, payload, hash } = row
    const kept = this.cache.get(stream)
    const streamType = typeOfStream(this.types, stream)
    const version = Number(row.version)
    if (!kept || !streamType || version !== kept.version + 1 || !hashOf(row, version, kept.head).equals(hash)) return false
    const state = evolve({ type: streamType, id: stream }, kept.state, {
      type,
      data: upcastData(streamType, type, schemaVersion, parseObject(payload)),
    })
    this.cache.put(stream, { version, state, head: hash, time: Number(row.recorded_at) }, payload.length)
    return true
  }
}
