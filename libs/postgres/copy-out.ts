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

/** Rows share blocks of memory: who keeps one for long copies what it keeps. */
const BLOCK_BYTES = 1_048_576

/** A row in binary, read column by column, in their order; NULL is not among them. */
export class CopiedRow {
  #at: number

  constructor(
    private readonly bytes: Buffer,
    start: number,
  ) {
    this.#at = start
  }

  bytea(): Buffer {
    const start = this.#column()
    return this.bytes.subarray(start, this.#at)
  }

  text(): string {
    const start = this.#column()
    return this.bytes.toString('utf8', start, this.#at)
  }

  int4(): number {
    return this.bytes.readInt32BE(this.#column())
  }

  int8(): bigint {
    return this.bytes.readBigInt64BE(this.#column())
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
    let block = Buffer.alloc(0)
    let used_bytes = 0
    let failure: { readonly error: unknown } | undefined
    const plain: unknown = new pg.Query({ text: `COPY (${select}) TO STDOUT (FORMAT binary)` })
    const query = plain as WireQuery
    query.handleCopyData = ({ chunk }) => {
      const header_bytes = begun ? 0 : HEADER_BYTES
      begun = true
      if (failure || chunk.readInt16BE(header_bytes) === END) return
      if (chunk.length > block.length - used_bytes) {
        block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, chunk.length))
        used_bytes = 0
      }
      const start = used_bytes + header_bytes + 2
      // The chunk is a part of the connection's buffer, which is used again.
      used_bytes += chunk.copy(block, used_bytes)
      try {
        rows.push(read(new CopiedRow(block, start)))
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
