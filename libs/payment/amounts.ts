import { add, refuse, subtract, ZERO, type Paise, type Refusal } from '#kernel'

/** What became of an order's money, in paise. `0 <= refunded <= captured <= amount`, and `authorised <= amount`. */
export interface PaymentAmounts {
  readonly amount: Paise
  readonly authorised: Paise
  readonly captured: Paise
  readonly refunded: Paise
}

/** What can still be given back. */
export const refundable = ({ captured, refunded }: PaymentAmounts): Paise => subtract(captured, refunded)

/** The amounts after a refund of `amount`, or of all that is left; refused `refund-too-large` beyond it. */
export const refund = (amounts: PaymentAmounts, amount: Paise = refundable(amounts)): PaymentAmounts | Refusal => {
  if (amount <= ZERO) return refuse('nothing-to-refund', 'nothing of this payment is left to refund')
  if (amount > refundable(amounts)) return refuse('refund-too-large', 'more than was captured and is not refunded yet')
  return { ...amounts, refunded: add(amounts.refunded, amount) }
}
