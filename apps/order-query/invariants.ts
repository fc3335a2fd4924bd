import { byQuery, eventStoreHolds, type Invariant } from '#service'

export const invariants: readonly Invariant[] = [
  eventStoreHolds,
  byQuery(
    'stock-adds-up',
    'on hand is available and reserved, and nothing is sold that is not there',
    `SELECT sku FROM stock WHERE on_hand <> available + reserved OR available < 0 OR reserved < 0`,
  ),
  // Order ids are in order of time.
  byQuery(
    'refunded-within-captured',
    'no payment of the newest 10,000 gives back more than was taken, or takes more than is due',
    `SELECT order_id FROM (SELECT * FROM payments ORDER BY order_id DESC LIMIT 10000) p
     WHERE refunded_paise > captured_paise OR captured_paise > amount_paise`,
  ),
]
