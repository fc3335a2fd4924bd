import { formatRupees, paise, refuse, type Paise, type Refusal } from '#kernel'
import { istDay, istMonth } from './calendar.js'
import { after } from './event-balances.js'
import type { WalletEvent } from './events.js'
import { incomingLimits } from './incoming-limits.js'
import { above, sumIn, type LimitsAt } from './limits.js'
import { insufficient, notAnAmount, notReceivable, notSpendable, notUsable } from './refusals.js'
import { available, FIRST_DAY_MS, type WalletState } from './state.js'

export interface Transfer {
  readonly at_ms: number
  readonly transferId: string
  readonly fromWalletId: string
  readonly toWalletId: string
  readonly amount: Paise
  readonly reference: string
}

/**
 * Both sides of a transfer, to be appended together or not at all. A frozen wallet may receive: it is a credit. The sender's own rules come
 * first, and what keeps the other wallet from receiving is not told.
 */
export const decideTransfer = (
  transfer: Transfer,
  from: WalletState,
  to: WalletState,
  limitsAt: LimitsAt,
): { readonly out: readonly WalletEvent[]; readonly in: readonly WalletEvent[] } | Refusal => {
  const { at_ms, amount, fromWalletId, toWalletId } = transfer
  if (fromWalletId === toWalletId) return refuse('same-wallet', 'a transfer is between two wallets')
  const refusal =
    notSpendable(from) ??
    notAnAmount(amount) ??
    outgoingLimits(transfer, from, limitsAt) ??
    (available(from) < amount ? insufficient() : undefined)
  if (refusal) return refusal
  if (notUsable(to) ?? incomingLimits(to, amount, at_ms, limitsAt)) return notReceivable()
  const { transferId, reference } = transfer
  const own = { amount: amount.toString(), account: 'transfers', reference, transferId } as const
  const toBeneficiary = from.beneficiaries.has(toWalletId)
  return {
    out: [
      { type: 'TransferredOut', data: { ...after(from, transfer, { balance: -amount }), ...own, counterparty: toWalletId, toBeneficiary } },
    ],
    in: [{ type: 'TransferredIn', data: { ...after(to, transfer, { balance: amount }), ...own, counterparty: fromWalletId } }],
  }
}

const outgoingLimits = ({ at_ms, amount, toWalletId }: Transfer, from: WalletState, limitsAt: LimitsAt): Refusal | undefined => {
  const limits = limitsAt(from.kyc, at_ms)
  const month = istMonth(at_ms)
  const registered = from.beneficiaries.get(toWalletId)
  const rule = registered ? 'transfers-to-beneficiary-per-month' : 'transfers-to-others-per-month'
  if (limits[rule] === 0n) return refuse('kyc-limit-exceeded', 'this kind of wallet cannot transfer to persons')
  const slug = 'limit-exceeded'
  const inMonth = sumIn(registered ?? from.sentToOthers, month) + amount
  const whom = registered ? 'to this beneficiary' : 'to wallets that are not registered beneficiaries'
  const early = at_ms < from.openedAt_ms + FIRST_DAY_MS
  return (
    above(limits, rule, inMonth, slug, (max) => `at most ${formatRupees(paise(max))} rupees a month ${whom}`) ??
    above(limits, 'transfers-per-day', sumIn(from.sentInDay, istDay(at_ms)) + 1n, slug, 'no more transfers today') ??
    (early
      ? above(
          limits,
          'transfers-in-first-24-hours',
          from.sentInFirstDay + amount,
          slug,
          'more than a new wallet may transfer in its first 24 hours',
        )
      : undefined)
  )
}
