import type { Transaction, Transactions } from '#kernel'
import type pg from 'pg'

/** A transaction on one PostgreSQL connection. */
export interface PgTransaction extends Transaction {
  readonly kind: 'postgres'
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    query: pg.QueryConfig | string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>
}

export const pgTransaction = (client: pg.ClientBase): PgTransaction => ({
  kind: 'postgres',
  query: (query, values) => (typeof query === 'string' ? client.query(query, values as unknown[] | undefined) : client.query(query)),
})

/** Recognises the stores' own kind of transaction; any other is a mistake in the composition. */
export const asPg = (tx: Transaction): PgTransaction => {
  if (tx.kind !== 'postgres') throw new TypeError(`a PostgreSQL store was given a ${tx.kind} transaction`)
  return tx as PgTransaction
}

export const pgTransactions = (pool: pg.Pool): Transactions => ({
  async run(work) {
    const client = await pool.connect()
    let broken: Error | undefined
    try {
      await client.query('BEGIN')
      const result = await work(pgTransaction(client))
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure))
      throw error
    } finally {
      client.release(broken)
    }
  },
})
