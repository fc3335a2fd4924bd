import type { StoredRecord } from '../log.js'

/** 44 partitions of these at 1 KiB are 22 MiB at most; usually the readers are right behind. */
const MOST_RECORDS = 512

/**
 * The newest records of one partition that this process itself appended: consumers in the same process take them from here and spare the
 * database the read. Only what the database has committed gets in, with its true offsets.
 */
export class Tail {
  #records: StoredRecord[] = []

  add(records: readonly StoredRecord[]): void {
    const first = records[0]
    if (!first) return
    // Another process may have appended in between: what is behind the gap is of no use to a reader in order.
    if (this.#records.length > 0 && this.#end !== first.offset) {
      if (this.#end > first.offset) return
      this.#records = []
    }
    this.#records.push(...records)
    if (this.#records.length > MOST_RECORDS) this.#records = this.#records.slice(-MOST_RECORDS / 2)
  }

  /** At most `limit` records from exactly `offset` on; none when it is not here. */
  from(offset: bigint, limit: number): readonly StoredRecord[] {
    const first = this.#records[0]
    if (!first || offset < first.offset || offset >= this.#end) return []
    const at = Number(offset - first.offset)
    return this.#records.slice(at, at + limit)
  }

  get #end(): bigint {
    const last = this.#records.at(-1)
    return last ? last.offset + 1n : -1n
  }
}
