import { paise, subtract, toMoneyJson, ZERO, type Paise } from '#kernel'
import type { Account } from '../ledger/postings.js'
import type { Balances } from '../ledger/settlements.js'

/** What is owed is shown as what it is, not as what it is booked as. */
export const splitView = (balances: Balances) => {
  const owed = (account: Account): Paise => subtract(ZERO, balances[account] ?? paise(0))
  const [commission, cgst, sgst] = [owed('commission'), owed('commission-cgst'), owed('commission-sgst')]
  return {
    collected: toMoneyJson(balances.collected ?? ZERO),
    commission: toMoneyJson(commission),
    commissionGst: { cgst: toMoneyJson(cgst), sgst: toMoneyJson(sgst) },
    payable: toMoneyJson(owed('merchant-payable')),
  }
}
