import { formatRupees, paise, refuse, type Paise, type Refusal } from '#kernel'
import { inForceAt, type EffectiveRow } from './effective.js'

/** Where, and up to what amount, a courier may collect the money. */
export interface CodRow extends EffectiveRow {
  /** The most that one order may come to. */
  readonly most: Paise
  /** PIN codes by their first digits (`56`, `560001`): only there, where it is given. */
  readonly only?: readonly string[]
  /** Not there. */
  readonly except?: readonly string[]
  readonly source: string
}

export const COD_ROWS: readonly CodRow[] = [
  {
    effectiveFrom: '2017-04-01',
    most: paise(19_999_999),
    source: 'Income-tax Act 1961, s. 269ST (Finance Act 2017): nobody receives 2,00,000 rupees or more in cash for one transaction',
  },
  {
    effectiveFrom: '2026-04-01',
    most: paise(19_999_999),
    source: 'Income-tax Act 2025, s. 186 (in place of s. 269ST of 1961): the same, by whoever receives it, for one transaction',
  },
]

/** Why an order cannot be paid at the door; undefined: it can. `at_ms`: when it is placed, milliseconds since the epoch. */
export const codRefusal = (
  { amount, pincode, at_ms }: { readonly amount: Paise; readonly pincode: string; readonly at_ms: number },
  rows: readonly CodRow[] = COD_ROWS,
): Refusal | undefined => {
  const row = inForceAt(at_ms, rows)
  const within = (prefixes: readonly string[]) => prefixes.some((prefix) => pincode.startsWith(prefix))
  if (!row) return refuse('cod-not-offered', 'cash on delivery is not offered')
  if ((row.only && !within(row.only)) || (row.except && within(row.except)))
    return refuse('cod-not-offered', 'cash on delivery is not offered at this PIN code')
  return amount > row.most ? refuse('cod-not-offered', `cash on delivery is offered up to ${formatRupees(row.most)}`) : undefined
}
