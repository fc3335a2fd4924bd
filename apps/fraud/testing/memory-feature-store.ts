import {
  Backgrounds,
  CLOCK_SKEW_MS,
  DAY_MS,
  knownPlace,
  MOST_ACTIVITIES,
  MOST_HABITS,
  type Activity,
  type CustomerHistory,
  type Transaction as Scorable,
} from '#fraud'
import { add, ZERO, type Paise, type Transaction } from '#kernel'
import { asMemory } from '#kernel/testing'
import {
  FAILED_PAYMENT_REASONS,
  type FeatureRead,
  type FeatureStore,
  type OrderOutcome,
  type ScoredTransaction,
} from '../scoring/feature-store.js'

interface Row {
  readonly scored: ScoredTransaction
  confirmed: boolean
  cancelReason?: string
  compensated: boolean
}

/** As the one in PostgreSQL, for the simulator and for tests of handlers. */
export class MemoryFeatureStore implements FeatureStore {
  readonly #rows = new Map<string, Row>()

  read(candidates: Parameters<FeatureStore['read']>[0]): Promise<FeatureRead> {
    const transactions = candidates.map(({ transaction }) => transaction)
    const times = transactions.map(({ at }) => at)
    const inWindow = ({ at }: { readonly at: number }) => at > Math.min(...times) - DAY_MS && at <= Math.max(...times) + CLOCK_SKEW_MS
    const rows = [...this.#rows.values()].toSorted((a, b) => b.scored.transaction.at - a.scored.transaction.at)
    const activities = (key: (transaction: Scorable) => string | undefined): ReadonlyMap<string, readonly Activity[]> => {
      const found = new Map<string, Activity[]>()
      for (const { scored } of rows) {
        const name = key(scored.transaction)
        if (name === undefined || !inWindow(scored.transaction)) continue
        const list = found.get(name) ?? []
        if (list.length < MOST_ACTIVITIES) list.push({ at: scored.transaction.at, customerId: scored.transaction.customerId })
        found.set(name, list)
      }
      return found
    }
    const good = rows.filter(({ confirmed, cancelReason }) => confirmed && cancelReason === undefined)
    const known = good.flatMap(({ scored: { transaction } }) =>
      [transaction.deviceHash, transaction.addressHash].flatMap((hash) =>
        hash === undefined ? [] : [knownPlace(transaction.customerId, hash)],
      ),
    )
    const backgrounds = new Backgrounds({
      customers: new Map(transactions.map(({ customerId }) => [customerId, history(rows, good, customerId, inWindow)])),
      byCustomer: activities(({ customerId }) => customerId),
      byDevice: activities(({ deviceHash }) => deviceHash),
      byAddress: activities(({ addressHash }) => addressHash),
      known: new Set(known),
    })
    const seen = candidates.flatMap(({ id }) => {
      const row = this.#rows.get(id)
      return row ? [[id, row.scored] as const] : []
    })
    return Promise.resolve({ backgrounds, known: new Map(seen) })
  }

  record(tx: Transaction, scored: readonly ScoredTransaction[]): Promise<void> {
    asMemory(tx).onCommit(() => {
      for (const each of scored)
        if (!this.#rows.has(each.id)) this.#rows.set(each.id, { scored: each, confirmed: false, compensated: false })
    })
    return Promise.resolve()
  }

  recordOutcomes(tx: Transaction, outcomes: readonly OrderOutcome[]): Promise<void> {
    asMemory(tx).onCommit(() => {
      for (const { orderId, confirmed, cancelReason, compensated } of outcomes)
        for (const row of this.#rows.values()) {
          if (row.scored.orderId !== orderId) continue
          row.confirmed ||= confirmed === true
          row.compensated ||= compensated === true
          if (cancelReason !== undefined) row.cancelReason = cancelReason
        }
    })
    return Promise.resolve()
  }
}

const history = (
  rows: readonly Row[],
  good: readonly Row[],
  customerId: string,
  inWindow: (transaction: Scorable) => boolean,
): CustomerHistory => {
  const own = (list: readonly Row[]) =>
    list.map((row) => ({ ...row, ...row.scored.transaction })).filter((row) => row.customerId === customerId)
  const amounts = own(good)
    .slice(0, MOST_HABITS)
    .map(({ amount }) => amount)
  const failed = own(rows).filter((row) =>
    row.cancelReason === undefined ? row.compensated : FAILED_PAYMENT_REASONS.includes(row.cancelReason),
  )
  const firstSeenAt = own(rows).at(-1)?.at
  return {
    confirmed: {
      count: amounts.length,
      total: add(...amounts),
      max: amounts.reduce<Paise>((max, amount) => (amount > max ? amount : max), ZERO),
    },
    failedPaymentsAt: failed
      .filter((row) => inWindow(row.scored.transaction))
      .slice(0, MOST_ACTIVITIES)
      .map(({ at }) => at),
    ...(firstSeenAt === undefined ? {} : { firstSeenAt }),
  }
}
