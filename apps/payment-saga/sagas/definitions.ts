import type { AnySaga } from '#saga'
import { orderCancellation } from './order-cancellation.js'
import { orderPayment } from './order-payment.js'
import { paymentRefund } from './payment-refund.js'
import { secondPayment } from './second-payment.js'
import { walletLoad } from './wallet-load.js'

export interface SagaSettings {
  readonly UPI_WINDOW_SECONDS: number
  readonly REVIEW_WAIT_SECONDS: number
}

/** Every definition that instances may run on. */
export const sagaDefinitions = ({ UPI_WINDOW_SECONDS, REVIEW_WAIT_SECONDS }: SagaSettings): readonly AnySaga[] => [
  orderPayment({ paymentWindow_ms: UPI_WINDOW_SECONDS * 1_000, reviewWait_ms: REVIEW_WAIT_SECONDS * 1_000 }),
  orderCancellation,
  paymentRefund,
  walletLoad({ paymentWindow_ms: UPI_WINDOW_SECONDS * 1_000 }),
  secondPayment,
]
