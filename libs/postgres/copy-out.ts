import pg from 'pg'

/** The part of pg's query that its types leave out. */
interface WireQuery {
  callback: (error: Error | null) => void
  handleCopyData: (message: { readonly chunk: Buffer }) => void
}

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const HEADER_BYTES = SIGNATURE.length + 8
/** In the place of a row's count of columns. */
const END = -1

/** A row in binary, read column by column, in their order; NULL is not among them. It lies where the connection received it, and is gone after `read`. */
export class CopiedRow {
  #at = 0

  constructor(private bytes: Buffer) {}

  bytea(): Buffer {
    const start = this.#column()
    return Buffer.from(this.bytes.subarray(start, this.#at))
  }

  text(encoding: 'utf8' | 'latin1' = 'utf8'): string {
    const start = this.#column()
    return this.bytes.toString(encoding, start, this.#at)
  }

  int4(): number {
    return this.bytes.readInt32BE(this.#column())
  }

  int8(): bigint {
    return this.bytes.readBigInt64BE(this.#column())
  }

  /** Copies the column to `target` at `at`, with its length before it (u32, big-endian) where that is asked for; answers where it ends there. */
  copy(target: Buffer, at: number, withLength = false): number {
    const start = this.#column()
    return at + this.bytes.copy(target, at, withLength ? start - 4 : start, this.#at)
  }

  /** Of the whole row. */
  get size_bytes(): number {
    return this.bytes.length
  }

  /** The same object for the next row. */
  begin(bytes: Buffer, start: number): this {
    this.bytes = bytes
    this.#at = start
    return this
  }

  /** Where the next column begins; what comes after it is next. */
  #column(): number {
    const start = this.#at + 4
    this.#at = start + this.bytes.readInt32BE(this.#at)
    return start
  }
}

/**
 * The rows of a query as PostgreSQL has them: pg asks for text, in which a bytea is hex digits, twice its size, to be written, sent and parsed.
 * COPY takes no parameters: `select` has literals. For pages of many rows; all are in memory when it resolves.
 * https://www.postgresql.org/docs/current/sql-copy.html (binary format)
 */
export const copyOut = <Row>(client: pg.ClientBase, select: string, read: (row: CopiedRow) => Row): Promise<Row[]> =>
  new Promise((resolve, reject) => {
    const rows: Row[] = []
    let begun = false
    const row = new CopiedRow(SIGNATURE)
    let failure: { readonly error: unknown } | undefined
    const plain: unknown = new pg.Query({ text: `COPY (${select}) TO STDOUT (FORMAT binary)` })
    const query = plain as WireQuery
    query.handleCopyData = ({ chunk }) => {
      const header_bytes = begun ? 0 : HEADER_BYTES
      begun = true
      if (failure || chunk.readInt16BE(header_bytes) === END) return
      try {
        rows.push(read(row.begin(chunk, header_bytes + 2)))
      } catch (error) {
        failure = { error }
      }
    }
    query.callback = (error) => {
      if (error) reject(error)
      else if (failure) reject(failure.error)
      else resolve(rows)
    }
    client.query(plain as pg.Submittable)
  })
