import { byQuery, eventStoreHolds, type Invariant } from '#service'

export const invariants: readonly Invariant[] = [
  eventStoreHolds,
  byQuery(
    'journals-balance',
    'debits equal credits in each journal of the newest 10,000 entries',
    `WITH newest AS (SELECT DISTINCT journal FROM (SELECT journal FROM ledger_entries ORDER BY at DESC, journal DESC LIMIT 10000) e)
     SELECT journal FROM newest JOIN ledger_entries USING (journal) GROUP BY journal HAVING sum(amount) <> 0`,
  ),
  byQuery(
    'captured-exactly',
    'a complete payment captured exactly its amount',
    'SELECT payment_id FROM ledger_payments WHERE captured <> owed',
  ),
]
