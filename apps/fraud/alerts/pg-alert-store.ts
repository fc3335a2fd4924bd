import type { AlertDecision, AlertEvent, Reason } from '#fraud'
import { paise, type Transaction } from '#kernel'
import { asPg, type PgTransaction } from '#postgres'
import type pg from 'pg'
import type { AlertRow, AlertStatus, AlertStore } from './alert-store.js'

export class PgAlertStore implements AlertStore {
  constructor(private readonly pool: pg.Pool) {}

  async project(transaction: Transaction, events: readonly AlertEvent[]): Promise<void> {
    const tx = asPg(transaction)
    await insertRaised(tx, events)
    await updateDecided(tx, events)
    await deleteLapsed(tx, events)
  }

  async get(alertId: string): Promise<AlertRow | undefined> {
    const { rows } = await this.pool.query<Row>({ name: 'alert-by-id', text: `${SELECT} WHERE alert_id = $1`, values: [alertId] })
    return rows[0] && fromRow(rows[0])
  }

  async list({ status, after, limit }: Parameters<AlertStore['list']>[0]): Promise<readonly AlertRow[]> {
    const { rows } = await this.pool.query<Row>({
      name: `alerts-${status ?? 'all'}`,
      text: `${SELECT} WHERE ${CONDITIONS[status ?? 'all']} AND ($1::uuid IS NULL OR alert_id > $1) ORDER BY alert_id LIMIT $2`,
      values: [after ?? null, limit],
    })
    return rows.map(fromRow)
  }

  async due(now: number, limit: number, except: readonly string[] = []): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ alert_id: string }>({
      name: 'due-alerts',
      text: 'SELECT alert_id FROM alert WHERE decision IS NULL AND due_at <= $1 AND alert_id <> ALL ($3::uuid[]) ORDER BY due_at LIMIT $2',
      values: [now, limit, except],
    })
    return rows.map(({ alert_id }) => alert_id)
  }
}

const CONDITIONS: Readonly<Record<AlertStatus | 'all', string>> = {
  all: 'share IS NULL',
  open: 'share IS NULL AND decision IS NULL',
  approved: `share IS NULL AND decision = 'approve'`,
  declined: `share IS NULL AND decision = 'decline'`,
  sampled: 'share IS NOT NULL AND decision IS NULL',
  labelled: 'share IS NOT NULL AND decision IS NOT NULL',
}

const insertRaised = async (tx: PgTransaction, events: readonly AlertEvent[]): Promise<void> => {
  const raised = events.flatMap((event) => (event.type === 'AlertRaised' || event.type === 'SampleTaken' ? [event.data] : []))
  if (raised.length === 0) return
  await tx.query({
    name: 'insert-alerts',
    text: `INSERT INTO alert (alert_id, order_id, customer_id, amount, score, reasons, model_version, raised_at, due_at, share)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::float8[], $6::jsonb[], $7::text[], $8::bigint[], $9::bigint[], $10::float8[])`,
    values: [
      raised.map(({ alertId }) => alertId),
      raised.map(({ orderId }) => orderId),
      raised.map(({ customerId }) => customerId),
      raised.map(({ amount }) => amount),
      raised.map(({ score }) => score),
      raised.map(({ reasons }) => JSON.stringify(reasons)),
      raised.map(({ modelVersion }) => modelVersion),
      raised.map(({ at }) => Date.parse(at)),
      raised.map(({ dueAt }) => Date.parse(dueAt)),
      raised.map((data) => ('share' in data ? data.share : null)),
    ],
  })
}

const updateDecided = async (tx: PgTransaction, events: readonly AlertEvent[]): Promise<void> => {
  const decided = events.flatMap((event) => (event.type === 'AlertDecided' || event.type === 'SampleLabelled' ? [event.data] : []))
  if (decided.length === 0) return
  await tx.query({
    name: 'decide-alerts',
    text: `UPDATE alert a SET decision = d.decision, decided_by = d.decided_by, note = d.note, decided_at = d.decided_at
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS d (alert_id, decision, decided_by, note, decided_at)
           WHERE a.alert_id = d.alert_id`,
    values: [
      decided.map(({ alertId }) => alertId),
      decided.map(({ decision }) => decision),
      decided.map(({ by }) => by),
      decided.map(({ note }) => note),
      decided.map(({ at }) => Date.parse(at)),
    ],
  })
}

const deleteLapsed = async (tx: PgTransaction, events: readonly AlertEvent[]): Promise<void> => {
  const lapsed = events.flatMap((event) => (event.type === 'SampleLapsed' ? [event.data.alertId] : []))
  if (lapsed.length === 0) return
  await tx.query({ name: 'delete-lapsed', text: 'DELETE FROM alert WHERE alert_id = ANY ($1::uuid[])', values: [lapsed] })
}

interface Row {
  readonly alert_id: string
  readonly order_id: string
  readonly customer_id: string
  readonly amount: bigint
  readonly score: number
  readonly reasons: readonly Reason[]
  readonly model_version: string
  readonly raised_at: bigint
  readonly due_at: bigint
  readonly share: number | null
  readonly decision: AlertDecision | null
  readonly decided_by: string | null
  readonly note: string | null
  readonly decided_at: bigint | null
}

const SELECT = `SELECT alert_id, order_id, customer_id, amount, score, reasons, model_version, raised_at, due_at, share, decision, decided_by, note, decided_at FROM alert`

const fromRow = (row: Row): AlertRow => ({
  alertId: row.alert_id,
  orderId: row.order_id,
  customerId: row.customer_id,
  amount: paise(row.amount),
  score: row.score,
  reasons: row.reasons,
  modelVersion: row.model_version,
  raisedAt: Number(row.raised_at),
  dueAt: Number(row.due_at),
  ...(row.share === null ? {} : { share: row.share }),
  ...(row.decision === null
    ? {}
    : { decided: { decision: row.decision, by: row.decided_by ?? '', note: row.note ?? '', at: Number(row.decided_at ?? 0n) } }),
})
