import type { Clock, Paise, Transactions } from '#kernel'
import { beginningOf, daysAfter, workingDaysBefore, type DifferenceKind, type MovementKind, type SettlementLine } from '#payment'
import { asPg, slow, type PgTransaction } from '#postgres'
import { randomUUID } from 'node:crypto'
import type pg from 'pg'

/** What a run came to: payments' movements that agree, and those that do not, by how they differ. Amounts in paise. */
export interface ReconciliationResult {
  readonly lines: number
  readonly matched: number
  readonly matchedAmount: Paise
  readonly differences: Readonly<Record<DifferenceKind, number>>
}

/** Another run of the day has begun since: this one changes nothing. */
export class Overtaken extends Error {}

export interface ReconciliationPorts {
  readonly pool: pg.Pool
  readonly transactions: Transactions
  readonly clock: Clock
  /** How many working days after it moved money is in a file at the latest. */
  readonly settlesAfter: number
}

/** Lines written at once. */
const BATCH = 1_000
/** Of comparing a whole day. */
const COMPARE_TIMEOUT_MS = 60_000

const KEEP = `
INSERT INTO settlement_lines (run_id, date, line, payment_id, kind, reference, amount, fee, tax)
SELECT $1::uuid, $2::date, l.* FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[]) AS l`

/** Only while nobody has begun the day anew. */
const TAKE = `
UPDATE reconciliations SET run_id = $2, status = 'DONE', next_at = NULL, failure = NULL, finished_at = $4
WHERE date = $1 AND claim = $3 RETURNING date`

const FORGET = `DELETE FROM settlement_lines WHERE date = $1 AND run_id IS DISTINCT FROM $2`

/**
 * The books of both sides, summed up over all of a payment's movements of a kind up to the day, so that neither the order of lines nor a refund told
 * together with another matters. A movement is known to us a little later than it happened: it agrees also when our sum reached theirs after the
 * day, and when a later file has made up for it. What the provider does not settle on the day on which it moves is ours by the last day whose time
 * to be settled is over ($3, $4): what is theirs already and more than that, but not more than all of ours, is on its way. Looked up payment by payment: what a day costs does not grow with the days before. A case that a person resolved is not opened again while nothing changed, and
 * a day that is run again says nothing of what later days found.
 */
const COMPARE = `
WITH touched AS (
  SELECT payment_id, kind FROM settlement_lines WHERE run_id = $1
  UNION SELECT payment_id, kind FROM provider_movements WHERE at >= $3 AND at < $4
  UNION SELECT payment_id, kind FROM reconciliation_cases WHERE status = 'OPEN' AND date <= $2
), judged AS (
  SELECT t.payment_id, t.kind, order_id, reference, theirs.upto AS theirs,
    CASE WHEN ours.upto = 0 THEN ours.ever ELSE ours.upto END AS ours,
    theirs.upto = ours.upto OR theirs.ever = ours.ever OR theirs.upto = ANY (ours.later) AS matched,
    theirs.upto > ours.upto AND theirs.upto < ours.ever AS under_way,
    CASE WHEN theirs.upto = 0 THEN 'missing-there' WHEN ours.ever = 0 THEN 'missing-here' ELSE 'different-amount' END AS difference
  FROM touched t,
  LATERAL (
    SELECT min(l.reference) AS reference,
      coalesce(sum(l.amount) FILTER (WHERE l.date <= $2), 0)::bigint AS upto, coalesce(sum(l.amount), 0)::bigint AS ever
    FROM settlement_lines l JOIN reconciliations r ON r.run_id = l.run_id WHERE l.payment_id = t.payment_id AND l.kind = t.kind
  ) theirs,
  LATERAL (
    SELECT min(m.order_id) AS order_id,
      coalesce(max(m.total) FILTER (WHERE m.at < $4), 0) AS upto, coalesce(max(m.total), 0) AS ever,
      coalesce(array_agg(m.total) FILTER (WHERE m.at >= $4), '{}') AS later
    FROM provider_movements m WHERE m.payment_id = t.payment_id AND m.kind = t.kind
  ) ours
), opened AS (
  INSERT INTO reconciliation_cases AS c (date, upto, payment_id, kind, difference, theirs, ours, order_id, reference, status, opened_at)
  SELECT $2, $2, payment_id, kind, difference, theirs, ours, order_id, reference, 'OPEN', $5 FROM judged j
  WHERE NOT matched AND NOT under_way AND NOT EXISTS (
    SELECT FROM reconciliation_cases r WHERE r.payment_id = j.payment_id AND r.kind = j.kind AND r.status = 'RESOLVED'
      AND r.resolved_by <> $6 AND r.theirs = j.theirs AND r.ours = j.ours)
  ON CONFLICT (payment_id, kind) WHERE status = 'OPEN'
    DO UPDATE SET upto = excluded.upto, difference = excluded.difference, theirs = excluded.theirs, ours = excluded.ours,
      version = c.version + ((c.difference, c.theirs, c.ours) IS DISTINCT FROM (excluded.difference, excluded.theirs, excluded.ours))::int
    WHERE c.upto <= excluded.upto
), closed AS (
  UPDATE reconciliation_cases c SET status = 'RESOLVED', version = version + 1, resolved_at = $5, resolved_by = $6, resolution = 'agrees by the file of ' || $2::date
  FROM judged j WHERE j.matched AND c.payment_id = j.payment_id AND c.kind = j.kind AND c.status = 'OPEN' AND c.date <= $2
)
SELECT count(*) FILTER (WHERE matched)::int AS matched, coalesce(sum(theirs) FILTER (WHERE matched), 0)::bigint AS "matchedAmount",
  count(*) FILTER (WHERE difference = 'missing-here')::int AS "missing-here",
  count(*) FILTER (WHERE difference = 'missing-there')::int AS "missing-there",
  count(*) FILTER (WHERE difference = 'different-amount')::int AS "different-amount"
FROM (SELECT theirs, matched, CASE WHEN NOT matched AND NOT under_way THEN difference END AS difference FROM judged) told`

const FINISH = `UPDATE reconciliations SET result = $2 WHERE date = $1`

/** Who resolves a case where the books agree after all. */
export const RECONCILIATION = 'reconciliation'

type Compared = Pick<ReconciliationResult, 'matched' | 'matchedAmount'> & Readonly<Record<DifferenceKind, number>>

/** Holds a provider's file of a day against what the sagas know of their payments. The same file again changes nothing. */
export class Reconciliation {
  constructor(private readonly ports: ReconciliationPorts) {}

  /**
   * `claim` is the day's, as it was claimed; `askedAt` when the file was asked for, milliseconds since the epoch: what we know of later than
   * that is no part of it. Rejects with `BrokenSettlementFile`, with `Overtaken`, with what interrupted `lines`, or with the database's error.
   */
  async run(date: string, claim: number, askedAt: number, lines: AsyncIterable<SettlementLine>): Promise<ReconciliationResult> {
    const runId = randomUUID()
    const count = await this.#keep(runId, date, lines)
    const from = beginningOf(daysAfter(this.#settledBy(daysAfter(date, -1)), 1))
    const until = Math.min(beginningOf(daysAfter(this.#settledBy(date), 1)), askedAt)
    return this.ports.transactions.run(async (transaction) => {
      const tx = asPg(transaction)
      await tx.query(`SET LOCAL statement_timeout = ${COMPARE_TIMEOUT_MS}`)
      const now = new Date(this.ports.clock.now())
      const { rowCount } = await tx.query(TAKE, [date, runId, claim, now])
      if (rowCount !== 1) throw new Overtaken(`the reconciliation of ${date} was begun anew`)
      await tx.query(slow({ text: FORGET, values: [date, runId] }, COMPARE_TIMEOUT_MS))
      const compared = await compare(tx, [runId, date, new Date(from), new Date(Math.max(from, until)), now, RECONCILIATION])
      const { matched, matchedAmount, ...differences } = compared
      const result = { lines: count, matched, matchedAmount, differences }
      await tx.query(FINISH, [date, JSON.stringify({ ...result, matchedAmount: matchedAmount.toString() })])
      return result
    })
  }

  /** The last day of which all must be in the files up to a day. */
  #settledBy(date: string): string {
    return workingDaysBefore(date, this.ports.settlesAfter)
  }

  async #keep(runId: string, date: string, lines: AsyncIterable<SettlementLine>): Promise<number> {
    let count = 0
    let batch: SettlementLine[] = []
    const write = async () => {
      count += batch.length
      await this.ports.pool.query({ name: 'settlement-keep', text: KEEP, values: [runId, date, ...columns(batch)] })
      batch = []
    }
    try {
      for await (const line of lines) if (batch.push(line) === BATCH) await write()
      if (batch.length > 0) await write()
      return count
    } catch (error) {
      // Nothing of it counts; what cannot be deleted now goes with the day's next run.
      await this.ports.pool.query('DELETE FROM settlement_lines WHERE run_id = $1', [runId]).catch(() => undefined)
      throw error
    }
  }
}

const compare = async (tx: PgTransaction, values: readonly unknown[]): Promise<Compared> => {
  const { rows } = await tx.query<Compared>(slow({ text: COMPARE, values: [...values] }, COMPARE_TIMEOUT_MS))
  if (!rows[0]) throw new Error('a sum has one row')
  return rows[0]
}

const columns = (lines: readonly SettlementLine[]): readonly (readonly unknown[])[] => {
  const of = <T>(column: (line: SettlementLine) => T): readonly T[] => lines.map(column)
  return [
    of(({ line }) => line),
    of(({ paymentId }) => paymentId),
    of(({ kind }): MovementKind => kind),
    of(({ reference }) => reference ?? null),
    of(({ amount }) => amount),
    of(({ fee }) => fee),
    of(({ tax }) => tax),
  ]
}
