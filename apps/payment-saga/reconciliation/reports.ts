import { paise, type Paise, type Transaction } from '#kernel'
import type { DifferenceKind, MovementKind } from '#payment'
import { asPg } from '#postgres'
import type pg from 'pg'
import type { ReconciliationFailure } from './reconciler.js'

export type ReconciliationStatus = 'WAITING' | 'DONE' | 'FAILED'

/** Amounts in paise. */
export interface ReconciliationReport {
  readonly date: string
  readonly status: ReconciliationStatus
  readonly requestedBy: string
  readonly reason: string
  readonly requestedAt: Date
  readonly finishedAt?: Date
  readonly failure?: ReconciliationFailure
  readonly lines: number
  readonly matched: { readonly movements: number; readonly amount: Paise }
  /** Of this day, as they are now. */
  readonly cases: { readonly open: number; readonly resolved: number; readonly byDifference: Readonly<Record<DifferenceKind, number>> }
  /** What the file says. `net`: what the provider pays out. */
  readonly provider: Readonly<Record<'captured' | 'refunded' | 'fee' | 'tax' | 'net', Paise>>
}

export interface ReconciliationCase {
  readonly caseId: string
  /** Of its figures and status: what a person resolves is what they saw. */
  readonly version: number
  readonly date: string
  readonly difference: DifferenceKind
  readonly kind: MovementKind
  readonly providerPaymentId: string
  readonly orderId?: string
  readonly reference?: string
  readonly theirs: Paise
  readonly ours: Paise
  readonly status: 'OPEN' | 'RESOLVED'
  readonly openedAt: Date
  readonly resolvedAt?: Date
  readonly resolvedBy?: string
  readonly resolution?: string
}

export interface CaseFilter {
  readonly date?: string
  readonly status?: ReconciliationCase['status']
}

const REPORT = `
SELECT r.date::text, r.status, r.requested_by, r.reason, r.requested_at, r.finished_at, r.failure, r.result, c.*, l.*
FROM reconciliations r,
LATERAL (
  SELECT count(*) FILTER (WHERE c.status = 'OPEN')::int AS open, count(*) FILTER (WHERE c.status = 'RESOLVED')::int AS resolved,
    count(*) FILTER (WHERE difference = 'missing-here')::int AS missing_here,
    count(*) FILTER (WHERE difference = 'missing-there')::int AS missing_there,
    count(*) FILTER (WHERE difference = 'different-amount')::int AS different_amount
  FROM reconciliation_cases c WHERE c.date = r.date
) c,
LATERAL (
  SELECT count(*)::int AS lines, coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0)::bigint AS captured,
    coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0)::bigint AS refunded,
    coalesce(sum(fee), 0)::bigint AS fee, coalesce(sum(tax), 0)::bigint AS tax
  FROM settlement_lines l WHERE l.run_id = r.run_id
) l
WHERE r.date = $1`

interface ReportRow {
  date: string
  status: ReconciliationStatus
  requested_by: string
  reason: string
  requested_at: Date
  finished_at: Date | null
  failure: ReconciliationFailure | null
  result: { matched: number; matchedAmount: string } | null
  open: number
  resolved: number
  missing_here: number
  missing_there: number
  different_amount: number
  lines: number
  captured: bigint
  refunded: bigint
  fee: bigint
  tax: bigint
}

interface CaseRow {
  case_id: string
  version: number
  date: string
  payment_id: string
  kind: MovementKind
  difference: DifferenceKind
  theirs: bigint
  ours: bigint
  order_id: string | null
  reference: string | null
  status: ReconciliationCase['status']
  opened_at: Date
  resolved_at: Date | null
  resolved_by: string | null
  resolution: string | null
}

const CASE_COLUMNS =
  'case_id, version, date::text, payment_id, kind, difference, theirs, ours, order_id, reference, status, opened_at, resolved_at, resolved_by, resolution'

/** Reconciliations and their cases, read; and a case resolved by a person. */
export class ReconciliationReports {
  constructor(private readonly pool: pg.Pool) {}

  /** Undefined: the day was never asked for. */
  async of(date: string): Promise<ReconciliationReport | undefined> {
    const { rows } = await this.pool.query<ReportRow>({ name: 'reconciliation-report', text: REPORT, values: [date] })
    return rows[0] && reportOf(rows[0])
  }

  /** The newest first, `before` a case. */
  async cases({ date, status }: CaseFilter, before: string | undefined, limit: number): Promise<readonly ReconciliationCase[]> {
    const { rows } = await this.pool.query<CaseRow>({
      name: 'reconciliation-cases',
      text: `SELECT ${CASE_COLUMNS} FROM reconciliation_cases
             WHERE ($1::date IS NULL OR date = $1) AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR case_id < $3)
             ORDER BY case_id DESC LIMIT $4`,
      values: [date ?? null, status ?? null, before ?? null, limit],
    })
    return rows.map(caseOf)
  }

  async case(id: string): Promise<ReconciliationCase | undefined> {
    const { rows } = await this.pool.query<CaseRow>(`SELECT ${CASE_COLUMNS} FROM reconciliation_cases WHERE case_id = $1`, [id])
    return rows[0] && caseOf(rows[0])
  }

  /** Settled by a person's word: it is not opened again while both sides stay as they are. False: it is not as it was at this version any more. */
  async resolve(
    { caseId, version }: Pick<ReconciliationCase, 'caseId' | 'version'>,
    by: string,
    resolution: string,
    at: number,
    transaction: Transaction,
  ): Promise<boolean> {
    const { rowCount } = await asPg(transaction).query(
      `UPDATE reconciliation_cases SET status = 'RESOLVED', version = version + 1, resolved_at = $2, resolved_by = $3, resolution = $4
       WHERE case_id = $1 AND version = $5 AND status = 'OPEN'`,
      [caseId, new Date(at), by, resolution, version],
    )
    return rowCount === 1
  }

  /** Open cases by difference, and days whose file was broken or did not come. */
  async counts(): Promise<{ readonly open: Readonly<Record<DifferenceKind, number>>; readonly failedDays: number }> {
    const open = { 'missing-here': 0, 'missing-there': 0, 'different-amount': 0 }
    const { rows } = await this.pool.query<{ difference: DifferenceKind; count: number }>({
      name: 'reconciliation-open',
      text: `SELECT difference, count(*)::int AS count FROM reconciliation_cases WHERE status = 'OPEN' GROUP BY difference`,
    })
    for (const { difference, count } of rows) open[difference] = count
    const failed = await this.pool.query<{ count: number }>({
      name: 'reconciliation-failed',
      text: `SELECT count(*)::int AS count FROM reconciliations WHERE status = 'FAILED'`,
    })
    return { open, failedDays: failed.rows[0]?.count ?? 0 }
  }
}

const reportOf = (row: ReportRow): ReconciliationReport => ({
  date: row.date,
  status: row.status,
  requestedBy: row.requested_by,
  reason: row.reason,
  requestedAt: row.requested_at,
  ...(row.finished_at === null ? {} : { finishedAt: row.finished_at }),
  ...(row.failure === null ? {} : { failure: row.failure }),
  lines: row.lines,
  matched: { movements: row.result?.matched ?? 0, amount: paise(row.result?.matchedAmount ?? 0) },
  cases: {
    open: row.open,
    resolved: row.resolved,
    byDifference: { 'missing-here': row.missing_here, 'missing-there': row.missing_there, 'different-amount': row.different_amount },
  },
  provider: {
    captured: paise(row.captured),
    refunded: paise(row.refunded),
    fee: paise(row.fee),
    tax: paise(row.tax),
    net: paise(row.captured - row.refunded - row.fee - row.tax),
  },
})

const caseOf = (row: CaseRow): ReconciliationCase => ({
  caseId: row.case_id,
  version: row.version,
  date: row.date,
  difference: row.difference,
  kind: row.kind,
  providerPaymentId: row.payment_id,
  ...(row.order_id === null ? {} : { orderId: row.order_id }),
  ...(row.reference === null ? {} : { reference: row.reference }),
  theirs: paise(row.theirs),
  ours: paise(row.ours),
  status: row.status,
  openedAt: row.opened_at,
  ...(row.resolved_at === null ? {} : { resolvedAt: row.resolved_at }),
  ...(row.resolved_by === null ? {} : { resolvedBy: row.resolved_by }),
  ...(row.resolution === null ? {} : { resolution: row.resolution }),
})
