import type { Transaction, Transactions } from '#kernel'
import type pg from 'pg'

/** A transaction on one PostgreSQL connection. */
export interface PgTransaction extends Transaction {
  readonly kind: 'postgres'
  /**
   * True in a transaction's first run: what is likely may be taken for certain, if a statement that was sent fails with `Conflict` where it does
   * not hold. The same work then runs once more, with this false.
   */
  readonly optimistic: boolean
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    query: pg.QueryConfig | string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>
  /**
   * A statement whose answer nobody waits for. It runs in its order among the others, in one trip with what follows it, COMMIT too. Its failure
   * is the commit's, in the caller's words where `explain` gives them; nothing is committed then. `answered` gets its rows after COMMIT.
   */
  send<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    query: pg.QueryConfig,
    explain?: (error: unknown) => unknown,
    answered?: (rows: readonly Row[]) => void,
  ): void
  /** Called after COMMIT, in order; not at all after a rollback. It must not throw. */
  onCommit(run: () => void): void
}

/** What an optimistic transaction had taken for certain was not so. Nothing was committed. */
export class Conflict extends Error {}

/** Recognises the stores' own kind of transaction; any other is a mistake in the composition. */
export const asPg = (tx: Transaction): PgTransaction => {
  if (tx.kind !== 'postgres') throw new TypeError(`a PostgreSQL store was given a ${tx.kind} transaction`)
  return tx as PgTransaction
}

/** `work` may run twice: see `optimistic`. Each run has a connection of its own, for the one of a run that failed may be lost. */
export const pgTransactions = (pool: pg.Pool): Transactions => ({
  async run(work) {
    const once = async (optimistic: boolean) => {
      const client = await pool.connect()
      let broken: Error | undefined
      const tx = new OpenTransaction(client, optimistic)
      try {
        const result = await work(tx)
        await tx.commit()
        return result
      } catch (error) {
        await tx.rollback().catch((failure: Error) => (broken = failure))
        throw tx.cause(error)
      } finally {
        client.release(broken)
      }
    }
    return once(true).catch((error: unknown) => {
      if (error instanceof Conflict) return once(false)
      throw error
    })
  },
})

/** What statements came to that nobody waited for: the first failure is the cause of those after it. */
export class SentStatements {
  #failure: { readonly error: unknown } | undefined

  add(answer: Promise<unknown>, explain: (error: unknown) => unknown = (error) => error): void {
    answer.catch((error: unknown) => {
      this.#failure ??= { error: explain(error) }
    })
  }

  /** What made a transaction fail with `error`: statements after one that failed fail for its sake. To be asked when all are answered. */
  cause(error: unknown): unknown {
    return this.#failure ? this.#failure.error : error
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }
}

const BEGIN = { name: 'begin', text: 'BEGIN' }
const COMMIT = { name: 'commit', text: 'COMMIT' }

/** BEGIN goes out with the first statement, and COMMIT with those that nobody waits for: one trip, where nothing is waited for at all. */
class OpenTransaction implements PgTransaction {
  readonly kind = 'postgres'
  #open = false
  readonly #sent = new SentStatements()
  readonly #committed: (() => void)[] = []

  constructor(
    private readonly client: pg.ClientBase,
    readonly optimistic: boolean,
  ) {}

  query<Row extends pg.QueryResultRow>(query: pg.QueryConfig | string, values?: readonly unknown[]): Promise<pg.QueryResult<Row>> {
    this.#begin()
    return typeof query === 'string' ? this.client.query<Row>(query, values && [...values]) : this.client.query<Row>(query)
  }

  send<Row extends pg.QueryResultRow>(
    query: pg.QueryConfig,
    explain?: (error: unknown) => unknown,
    answered?: (rows: readonly Row[]) => void,
  ): void {
    this.#begin()
    const answer = this.client.query<Row>(query)
    this.#sent.add(answered ? answer.then(({ rows }) => void this.#committed.push(() => answered(rows))) : answer, explain)
  }

  onCommit(run: () => void): void {
    this.#committed.push(run)
  }

  async commit(): Promise<void> {
    if (this.#open) {
      const { command } = await this.client.query(COMMIT)
      this.#open = false
      // A transaction in which a statement failed cannot be committed, whoever caught that failure; the server says so only by this word.
      if (command === 'ROLLBACK') throw new Error('the transaction was rolled back: a statement in it had failed')
    }
    for (const run of this.#committed) run()
  }

  async rollback(): Promise<void> {
    if (this.#open) await this.client.query('ROLLBACK')
  }

  cause(error: unknown): unknown {
    return this.#sent.cause(error)
  }

  #begin(): void {
    if (this.#open) return
    this.#open = true
    this.#sent.add(this.client.query(BEGIN))
  }
}
