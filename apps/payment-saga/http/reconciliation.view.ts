import { toMoneyJson } from '#kernel'
import type { Balances } from '../ledger/settlements.js'
import type { ReconciliationCase, ReconciliationReport } from '../reconciliation/reports.js'
import { splitView } from './settlements.view.js'

/** A day's report as HTTP and the command line show it, with what our own books say of that day. */
export const reportView = ({ requestedAt, finishedAt, matched, cases, provider, ...report }: ReconciliationReport, books: Balances) => ({
  ...report,
  requestedAt: requestedAt.toISOString(),
  ...(finishedAt && { finishedAt: finishedAt.toISOString() }),
  matched: { movements: matched.movements, amount: toMoneyJson(matched.amount) },
  cases: {
    open: cases.open,
    resolved: cases.resolved,
    byDifference: {
      missingHere: cases.byDifference['missing-here'],
      missingThere: cases.byDifference['missing-there'],
      differentAmount: cases.byDifference['different-amount'],
    },
  },
  provider: {
    captured: toMoneyJson(provider.captured),
    refunded: toMoneyJson(provider.refunded),
    fee: toMoneyJson(provider.fee),
    tax: toMoneyJson(provider.tax),
    net: toMoneyJson(provider.net),
  },
  books: splitView(books),
})

export const caseView = ({ theirs, ours, openedAt, resolvedAt, ...rest }: ReconciliationCase) => ({
  ...rest,
  theirs: { ...toMoneyJson(theirs) },
  ours: { ...toMoneyJson(ours) },
  openedAt: openedAt.toISOString(),
  ...(resolvedAt && { resolvedAt: resolvedAt.toISOString() }),
})
