import {
  Backgrounds,
  CLOCK_SKEW_MS,
  DAY_MS,
  knownPlace,
  MOST_ACTIVITIES,
  MOST_HABITS,
  type Activity,
  type CustomerHistory,
  type FraudDecision,
  type Reason,
  type Transaction as Scorable,
} from '#fraud'
import { paise, type Transaction } from '#kernel'
import { asPg } from '#postgres'
import type pg from 'pg'
import type { FeatureRead, FeatureStore, OrderOutcome, ScoredTransaction } from './feature-store.js'

type Candidates = Parameters<FeatureStore['read']>[0]

/** Everything derives from one table of scored transactions, read by bounded index scans: no counter can drift. */
export class PgFeatureStore implements FeatureStore {
  constructor(private readonly pool: pg.Pool) {}

  async read(candidates: Candidates): Promise<FeatureRead> {
    if (candidates.length === 0) return { backgrounds: new Backgrounds(NOTHING), known: new Map() }
    const transactions = candidates.map(({ transaction }) => transaction)
    const times = transactions.map(({ at }) => at)
    const window = { from: Math.min(...times) - DAY_MS, to: Math.max(...times) + CLOCK_SKEW_MS }
    const customerIds = distinct(transactions.map(({ customerId }) => customerId))
    const [customers, activities, known, seen] = await Promise.all([
      this.#histories(customerIds, window),
      this.#activities(transactions, customerIds, window),
      this.#knownPlaces(transactions),
      this.#scored(candidates.map(({ id }) => id)),
    ])
    return { backgrounds: new Backgrounds({ customers, ...activities, known }), known: seen }
  }

  async record(tx: Transaction, scored: readonly ScoredTransaction[]): Promise<void> {
    if (scored.length === 0) return
    const column = <T>(value: (each: ScoredTransaction) => T): T[] => scored.map(value)
    await asPg(tx).query({
      name: 'record-scored',
      text: RECORD,
      values: [
        column(({ id }) => id),
        column(({ orderId }) => orderId ?? null),
        column(({ transaction }) => transaction.customerId),
        column(({ transaction }) => transaction.amount),
        column(({ transaction }) => transaction.method),
        column(({ transaction }) => transaction.addressHash ?? null),
        column(({ transaction }) => transaction.deviceHash ?? null),
        column(({ transaction }) => transaction.at),
        column(({ score }) => score.score),
        column(({ score }) => score.decision),
        column(({ score }) => JSON.stringify(score.reasons)),
        column(({ modelVersion }) => modelVersion),
        column(({ alertId }) => alertId ?? null),
        column(({ scoredAt }) => scoredAt),
      ],
    })
  }

  async recordOutcomes(tx: Transaction, outcomes: readonly OrderOutcome[]): Promise<void> {
    if (outcomes.length === 0) return
    const byOrder = Map.groupBy(outcomes, ({ orderId }) => orderId)
    const merged = [...byOrder].map(([orderId, each]) => ({
      orderId,
      confirmed: each.some(({ confirmed }) => confirmed === true),
      cancelReason: each.findLast(({ cancelReason }) => cancelReason !== undefined)?.cancelReason ?? null,
      compensated: each.some(({ compensated }) => compensated === true),
    }))
    await asPg(tx).query({
      name: 'record-outcomes',
      text: RECORD_OUTCOMES,
      values: [
        merged.map(({ orderId }) => orderId),
        merged.map(({ confirmed }) => confirmed),
        merged.map(({ cancelReason }) => cancelReason),
        merged.map(({ compensated }) => compensated),
      ],
    })
  }

  async #histories(customerIds: readonly string[], { from, to }: Window): Promise<ReadonlyMap<string, CustomerHistory>> {
    const { rows } = await this.pool.query<HistoryRow>({
      name: 'customer-histories',
      text: HISTORIES,
      values: [customerIds, from, to, MOST_HABITS, MOST_ACTIVITIES],
    })
    return new Map(
      rows.map((row) => [
        row.customer_id,
        {
          confirmed: { count: row.count, total: paise(row.total ?? 0), max: paise(row.max ?? 0n) },
          failedPaymentsAt: row.failed_at.map(Number),
          ...(row.first_at === null ? {} : { firstSeenAt: Number(row.first_at) }),
        },
      ]),
    )
  }

  async #activities(transactions: readonly Scorable[], customerIds: readonly string[], { from, to }: Window) {
    const { rows } = await this.pool.query<{ kind: string; key: string; at: bigint; customer_id: string }>({
      name: 'recent-activities',
      text: ACTIVITIES,
      values: [
        customerIds,
        distinct(transactions.map(({ deviceHash }) => deviceHash)),
        distinct(transactions.map(({ addressHash }) => addressHash)),
        from,
        to,
        MOST_ACTIVITIES,
      ],
    })
    const of = (kind: string): ReadonlyMap<string, readonly Activity[]> => {
      const activities = Map.groupBy(
        rows.filter((row) => row.kind === kind),
        ({ key }) => key,
      )
      return new Map([...activities].map(([key, each]) => [key, each.map((row) => ({ at: Number(row.at), customerId: row.customer_id }))]))
    }
    return { byCustomer: of('customer'), byDevice: of('device'), byAddress: of('address') }
  }

  async #knownPlaces(transactions: readonly Scorable[]): Promise<ReadonlySet<string>> {
    const pairs = transactions.flatMap(({ customerId, deviceHash, addressHash }) =>
      [deviceHash, addressHash].flatMap((hash) => (hash === undefined ? [] : { customerId, hash })),
    )
    const { rows } = await this.pool.query<{ customer_id: string; hash: string }>({
      name: 'known-places',
      text: KNOWN_PLACES,
      values: [pairs.map(({ customerId }) => customerId), pairs.map(({ hash }) => hash)],
    })
    return new Set(rows.map((row) => knownPlace(row.customer_id, row.hash)))
  }

  async #scored(ids: readonly string[]): Promise<ReadonlyMap<string, ScoredTransaction>> {
    const { rows } = await this.pool.query<ScoredRow>({ name: 'scored-by-id', text: SCORED, values: [ids] })
    return new Map(rows.map((row) => [row.transaction_id, fromRow(row)]))
  }
}

interface Window {
  readonly from: number
  readonly to: number
}

interface HistoryRow {
  readonly customer_id: string
  readonly count: number
  /** PostgreSQL sums bigint to numeric, which arrives as text. */
  readonly total: string | null
  readonly max: bigint | null
  readonly failed_at: readonly (bigint | string | number)[]
  readonly first_at: bigint | null
}

interface ScoredRow {
  readonly transaction_id: string
  readonly order_id: string | null
  readonly customer_id: string
  readonly amount: bigint
  readonly method: string
  readonly address_hash: string | null
  readonly device_hash: string | null
  readonly at: bigint
  readonly score: number
  readonly decision: FraudDecision
  readonly reasons: readonly Reason[]
  readonly model_version: string
  readonly alert_id: string | null
  readonly scored_at: bigint
}

const fromRow = (row: ScoredRow): ScoredTransaction => ({
  id: row.transaction_id,
  ...(row.order_id === null ? {} : { orderId: row.order_id }),
  transaction: {
    customerId: row.customer_id,
    amount: paise(row.amount),
    method: row.method,
    ...(row.address_hash === null ? {} : { addressHash: row.address_hash }),
    ...(row.device_hash === null ? {} : { deviceHash: row.device_hash }),
    at: Number(row.at),
  },
  score: { score: row.score, decision: row.decision, reasons: row.reasons },
  modelVersion: row.model_version,
  ...(row.alert_id === null ? {} : { alertId: row.alert_id }),
  scoredAt: Number(row.scored_at),
})

const NOTHING = { customers: new Map(), byCustomer: new Map(), byDevice: new Map(), byAddress: new Map(), known: new Set<string>() }

const distinct = (values: readonly (string | undefined)[]): string[] => [
  ...new Set(values.flatMap((value) => (value === undefined ? [] : [value]))),
]

const COLUMNS =
  'transaction_id, order_id, customer_id, amount, method, address_hash, device_hash, at, score, decision, reasons, model_version, alert_id, scored_at'

const SCORED = `SELECT ${COLUMNS} FROM scored_transaction WHERE transaction_id = ANY ($1::text[])`

const RECORD = `
  INSERT INTO scored_transaction (${COLUMNS})
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                       $9::float8[], $10::text[], $11::jsonb[], $12::text[], $13::text[], $14::bigint[])
  ON CONFLICT (transaction_id) DO NOTHING`

/** Rows are locked in one order, so that consumers of different topics cannot wait for each other in a circle. */
const RECORD_OUTCOMES = `
  WITH outcome AS (
    SELECT * FROM unnest($1::text[], $2::boolean[], $3::text[], $4::boolean[]) AS o (order_id, confirmed, cancel_reason, compensated)
  ), locked AS (
    SELECT transaction_id, order_id FROM scored_transaction WHERE order_id = ANY ($1::text[]) ORDER BY transaction_id FOR UPDATE
  )
  UPDATE scored_transaction t
  SET confirmed = t.confirmed OR o.confirmed,
      cancel_reason = coalesce(o.cancel_reason, t.cancel_reason),
      compensated = t.compensated OR o.compensated
  FROM locked JOIN outcome o USING (order_id)
  WHERE t.transaction_id = locked.transaction_id`

const HISTORIES = `
  SELECT c.customer_id, habit.count, habit.total, habit.max, failures.failed_at, first.first_at
  FROM unnest($1::text[]) AS c (customer_id)
  CROSS JOIN LATERAL (
    SELECT count(*)::integer AS count, sum(amount) AS total, max(amount) AS max
    FROM (SELECT amount FROM scored_transaction WHERE customer_id = c.customer_id AND good ORDER BY at DESC LIMIT $4) latest
  ) habit
  CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(at ORDER BY at DESC), '{}') AS failed_at
    FROM (SELECT at FROM scored_transaction WHERE customer_id = c.customer_id AND failed AND at > $2 AND at <= $3 ORDER BY at DESC LIMIT $5) latest
  ) failures
  CROSS JOIN LATERAL (SELECT min(at) AS first_at FROM scored_transaction WHERE customer_id = c.customer_id) first`

const latest = (kind: string, column: string, keys: string) => `
  SELECT '${kind}' AS kind, k.key, t.at, t.customer_id
  FROM unnest(${keys}::text[]) AS k (key)
  CROSS JOIN LATERAL (
    SELECT at, customer_id FROM scored_transaction WHERE ${column} = k.key AND at > $4 AND at <= $5 ORDER BY at DESC LIMIT $6
  ) t`

const ACTIVITIES = [
  latest('customer', 'customer_id', '$1'),
  latest('device', 'device_hash', '$2'),
  latest('address', 'address_hash', '$3'),
].join(' UNION ALL ')

const KNOWN_PLACES = `
  SELECT DISTINCT p.customer_id, p.hash
  FROM unnest($1::text[], $2::text[]) AS p (customer_id, hash)
  CROSS JOIN LATERAL (
    (SELECT FROM scored_transaction t WHERE t.customer_id = p.customer_id AND t.device_hash = p.hash AND t.good LIMIT 1)
    UNION ALL
    (SELECT FROM scored_transaction t WHERE t.customer_id = p.customer_id AND t.address_hash = p.hash AND t.good LIMIT 1)
  ) known`
