import type { Transaction, Transactions } from '#kernel'
import { SentStatements, type PgTransaction } from '#postgres'
import type pg from 'pg'
import type { DataSource, EntityManager } from 'typeorm'

/**
 * A TypeORM transaction that is a `PgTransaction` too: entities, plain SQL and the message runtime's offset fence commit together, on one
 * connection.
 */
export interface TypeormTransaction extends PgTransaction {
  readonly manager: EntityManager
}

export const asTypeorm = (tx: Transaction): TypeormTransaction => {
  if (tx.kind !== 'postgres' || !('manager' in tx)) throw new TypeError(`a projection was given a ${tx.kind} transaction without entities`)
  return tx as TypeormTransaction
}

export interface TypeormTransactionsOptions {
  /**
   * Transactions open at once; further ones wait for their turn. Below the pool's size it leaves connections for reads, however many
   * partitions have something to apply. Unlimited unless given.
   */
  readonly mostAtOnce?: number
}

export const typeormTransactions = (source: DataSource, { mostAtOnce = Infinity }: TypeormTransactionsOptions = {}): Transactions => {
  const turns = new Turns(mostAtOnce)
  return {
    async run(work) {
      await turns.take()
      try {
        return await runOnce(source, work)
      } finally {
        turns.give()
      }
    },
  }
}

/** A counting semaphore, first come first served. */
class Turns {
  readonly #waiting: (() => void)[] = []

  constructor(private free: number) {}

  take(): Promise<void> {
    if (this.free > 0) {
      this.free--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  give(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.free++
  }
}

const runOnce = async <T>(source: DataSource, work: (tx: Transaction) => Promise<T>): Promise<T> => {
  const runner = source.createQueryRunner()
  const committed: (() => void)[] = []
  const sent = new SentStatements()
  try {
    const client: pg.ClientBase = await runner.connect()
    await runner.startTransaction()
    const tx: TypeormTransaction = {
      kind: 'postgres',
      optimistic: false,
      query: (query, values) => (typeof query === 'string' ? client.query(query, values && [...values]) : client.query(query)),
      send: <Row extends pg.QueryResultRow>(
        query: pg.QueryConfig,
        explain?: (error: unknown) => unknown,
        answered?: (rows: readonly Row[]) => void,
      ) => {
        const answer = client.query<Row>(query)
        sent.add(answered ? answer.then(({ rows }) => void committed.push(() => answered(rows))) : answer, explain)
      },
      manager: runner.manager,
      onCommit: (run) => void committed.push(run),
    }
    const result = await work(tx)
    await runner.commitTransaction()
    if (sent.failed) throw new Error('the transaction was rolled back')
    for (const run of committed) run()
    return result
  } catch (error) {
    await rollBack(runner)
    throw sent.cause(error)
  } finally {
    await runner.release()
  }
}

/**
 * A connection that cannot even roll back must not go back to the pool: it could carry the open transaction to its next user.
 * Ending its client makes the pool drop it.
 */
const rollBack = async (runner: ReturnType<DataSource['createQueryRunner']>): Promise<void> => {
  if (!runner.isTransactionActive) return
  try {
    await runner.rollbackTransaction()
  } catch {
    const client: pg.ClientBase & { end(): Promise<void> } = await runner.connect()
    void client.end().catch(() => undefined)
  }
}
