/** The sagas of this app. */
export const ORDER_PAYMENT = 'order-payment'
export const ORDER_CANCELLATION = 'order-cancellation'
export const PAYMENT_REFUND = 'payment-refund'
export const WALLET_LOAD = 'wallet-load'
export const SECOND_PAYMENT = 'second-payment'
