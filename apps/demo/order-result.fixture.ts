import type { OrderResult, Plan } from './orders.js'

/** A wallet order of a rupee that ended as its plan says. */
export const orderResult = (plan: Plan): OrderResult => ({
  plan,
  orderId: 'o-1',
  customerId: 'c-1',
  items: [],
  end: plan.ends,
  grandTotal: 100n,
  authorised: 100n,
  captured: 100n,
  refunded: 0n,
  method: 'wallet',
  sagaStatus: 'COMPLETED',
  toPlaced_ms: 1,
  toEnd_ms: 2,
})
