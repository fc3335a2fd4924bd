import { isRefusal, paise, refuse, ZERO, type Paise, type Refusal } from '#kernel'
import { addParts, giveBack, leftOf, NO_PARTS, refund, sumOf, type Parts, type PaymentAmounts, type PaymentMethod } from '#payment'
import type { SagaState } from '#saga'
import type { ProviderPart } from './provider-part.js'
import { ORDER_PAYMENT } from './saga-types.js'

/** Amounts by part on the stream: paise in decimal strings. */
export type PartsData = { readonly wallet: string; readonly provider: string; readonly cash: string }

/** A part of the payment that goes back, or went: decided once, so that nothing is given back twice. */
export type RefundData = PartsData & { readonly done: boolean; readonly at: string; readonly for: 'request' | 'return' | 'cancellation' }

/** What the saga knows. Amounts are paise in decimal strings. */
export type OrderPayment = ProviderPart & {
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly method: PaymentMethod
  readonly amount: string
  /** How the amount is divided; both parts are 0 where the courier collects it. */
  readonly walletPart: string
  readonly walletId?: string
  readonly addressHash: string
  readonly deviceHash?: string
  readonly placedAt: string
  /** Held in the wallet, and taken from it. */
  readonly walletHeld?: string
  readonly walletTaken?: string
  readonly collected?: string
  /** Those after the payment was complete. */
  readonly refunds?: Readonly<Record<string, RefundData>>
  readonly fraud?: string
  readonly review?: string
  /** The order was cancelled by somebody else. */
  readonly cancelled?: 'before-confirmation' | 'after-confirmation'
}

/** The most refunds of one payment: each is kept with it. */
const MOST_REFUNDS = 100

const of = (amount: string | undefined): Paise => paise(amount ?? '0')
export const partsOf = ({ wallet, provider, cash }: PartsData): Parts => ({ wallet: of(wallet), provider: of(provider), cash: of(cash) })
export const partsData = ({ wallet, provider, cash }: Parts): PartsData => ({
  wallet: wallet.toString(),
  provider: provider.toString(),
  cash: cash.toString(),
})

const takenOf = (data: OrderPayment): Parts => ({ wallet: of(data.walletTaken), provider: of(data.captured), cash: of(data.collected) })

/** What has gone back or is decided to: refunds, and what undoing gave back. */
const committedOf = (data: OrderPayment): Parts =>
  addParts({ ...NO_PARTS, provider: of(data.refunded) }, ...Object.values(data.refunds ?? {}).map(partsOf))

/** What of the taken money nobody has decided to give back. */
export const unrefunded = (data: OrderPayment): Parts => leftOf(takenOf(data), committedOf(data))

const doneRefunds = ({ refunds = {} }: OrderPayment): Parts =>
  addParts(
    ...Object.values(refunds)
      .filter(({ done }) => done)
      .map(partsOf),
  )

/** What the provider gave back: by refunds that are done, and where the payment was undone. */
export const refundedByProvider = (data: OrderPayment): string => (doneRefunds(data).provider + of(data.refunded)).toString()

/** The payment as the world sees it: money that moved, not what is decided. */
export const amountsOf = (data: OrderPayment): PaymentAmounts => {
  return {
    amount: of(data.amount),
    authorised: paise(of(data.walletHeld) + of(data.authorised)),
    captured: sumOf(takenOf(data)),
    refunded: paise(sumOf(doneRefunds(data)) + of(data.refunded)),
  }
}

/** A refund of so much, or of all that is left; refused where that is more than was taken and nobody gives back yet. */
export const requestRefund = (data: OrderPayment, amount: Paise | undefined): Parts | Refusal => {
  if (Object.keys(data.refunds ?? {}).length >= MOST_REFUNDS)
    return refuse('too-many-refunds', `a payment has at most ${MOST_REFUNDS} refunds`)
  const left = unrefunded(data)
  const refunded = refund({ ...amountsOf(data), refunded: paise(amountsOf(data).captured - sumOf(left)) }, amount)
  return isRefusal(refunded) ? refunded : giveBack(left, amount ?? sumOf(left))
}

/**
 * What a return gives back. Its money is owed whatever state the capture is in, so it is decided against what will be taken; it goes out when
 * the payment is complete.
 */
export const returnRefund = (data: OrderPayment, owed: Paise): Parts => {
  const whole = data.method === 'cod' ? takenOf(data) : { wallet: of(data.walletPart), provider: of(data.providerPart), cash: ZERO }
  return giveBack(leftOf(whole, committedOf(data)), owed)
}

/** The data of an order's payment; undefined of any other saga. A stream's data is only ever written by the definition of its type. */
export const orderPaymentOf = ({ type, phase, data }: Pick<SagaState, 'type' | 'phase' | 'data'>): OrderPayment | undefined =>
  phase !== 'new' && type === ORDER_PAYMENT ? (data as unknown as OrderPayment) : undefined
