import type { Transaction, Transactions } from '#kernel'
import type pg from 'pg'
import { queryInTrip } from './trip.js'

/** A transaction on one PostgreSQL connection. */
export interface PgTransaction extends Transaction {
  readonly kind: 'postgres'
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    query: pg.QueryConfig | string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>
  /**
   * A statement that is to be the transaction's last. Where it can wait it goes in one trip with COMMIT, and its failure is the commit's: one
   * that must be able to prevent the commit raises an error, which `explain` may put into the caller's words.
   */
  atCommit(query: pg.QueryConfig, explain?: (error: unknown) => unknown): Promise<void>
  /** Called after COMMIT, in order; not at all after a rollback. It must not throw. */
  onCommit(run: () => void): void
}

/** Recognises the stores' own kind of transaction; any other is a mistake in the composition. */
export const asPg = (tx: Transaction): PgTransaction => {
  if (tx.kind !== 'postgres') throw new TypeError(`a PostgreSQL store was given a ${tx.kind} transaction`)
  return tx as PgTransaction
}

export const pgTransactions = (pool: pg.Pool): Transactions => ({
  async run(work) {
    const client = await pool.connect()
    const tx = new OpenTransaction(client)
    let broken: Error | undefined
    try {
      const result = await work(tx)
      await tx.commit()
      return result
    } catch (error) {
      await tx.rollback().catch((failure: Error) => (broken = failure))
      throw error
    } finally {
      client.release(broken)
    }
  },
})

/** BEGIN goes out with the first statement, COMMIT with the one that was left for it: two trips less. */
class OpenTransaction implements PgTransaction {
  readonly kind = 'postgres'
  #begun = false
  #last: { readonly query: pg.QueryConfig; explain(error: unknown): unknown } | undefined
  readonly #committed: (() => void)[] = []

  constructor(private readonly client: pg.ClientBase) {}

  async query<Row extends pg.QueryResultRow>(query: pg.QueryConfig | string, values?: readonly unknown[]): Promise<pg.QueryResult<Row>> {
    const config: pg.QueryConfig = typeof query === 'string' ? { text: query, ...(values && { values: [...values] }) } : query
    if (this.#begun) return this.client.query<Row>(config)
    this.#begun = true
    return queryInTrip<Row>(this.client, config, { begin: true })
  }

  atCommit(query: pg.QueryConfig, explain = (error: unknown) => error): Promise<void> {
    if (this.#last) throw new Error('a transaction has one last statement')
    this.#last = { query, explain }
    return Promise.resolve()
  }

  onCommit(run: () => void): void {
    this.#committed.push(run)
  }

  async commit(): Promise<void> {
    if (this.#last) {
      const { query, explain } = this.#last
      const begin = !this.#begun
      this.#begun = true
      await queryInTrip(this.client, query, { begin, commit: true }).catch((error: unknown) => {
        throw explain(error)
      })
    } else if (this.#begun) {
      // A transaction in which a statement failed cannot be committed, whoever caught that failure; the server says so only by this word.
      const { command } = await this.client.query('COMMIT')
      if (command === 'ROLLBACK') throw new Error('the transaction was rolled back: a statement in it had failed')
    }
    for (const run of this.#committed) run()
  }

  async rollback(): Promise<void> {
    if (this.#begun) await this.client.query('ROLLBACK')
  }
}
