import type { JsonObject } from '#kernel'
import type { OrderContent, OrderedUnits, PaymentChoice } from './content.js'
import type { ReturnedGoods } from './returns.js'

export type CancellationReason = 'out-of-stock' | 'payment-declined' | 'payment-expired' | 'fraud-declined' | 'customer' | 'merchant'

/** `note` is what the person who cancelled wrote: personal, sealed and opaque. */
export type Cancellation = { readonly reason: CancellationReason; readonly note?: JsonObject }

type Moved = { readonly customerId: string; readonly at: string }

export type OrderEvent =
  | { readonly type: 'OrderPlaced'; readonly data: OrderContent & { readonly placedAt: string } }
  | { readonly type: 'OrderReviewStarted'; readonly data: Moved }
  | { readonly type: 'OrderConfirmed'; readonly data: Moved }
  | {
      readonly type: 'OrderCancelled'
      readonly data: Moved &
        Cancellation & {
          /** Whether the payment's saga had finished with it: then a cancellation has money to refund and stock to give back. */
          readonly wasConfirmed: boolean
          readonly items: readonly OrderedUnits[]
        }
    }
  | { readonly type: 'OrderPacked'; readonly data: Moved }
  | { readonly type: 'OrderShipped'; readonly data: Moved & { readonly carrier: string; readonly trackingNumber: string } }
  | { readonly type: 'OrderOutForDelivery'; readonly data: Moved }
  /** `collected`: what was paid at the door, the grand total of an order by cash on delivery, else 0. */
  | { readonly type: 'OrderDelivered'; readonly data: Moved & { readonly method: PaymentChoice['method']; readonly collected: string } }
  | {
      readonly type: 'OrderReturnRequested'
      readonly data: Moved & { readonly items: readonly OrderedUnits[]; readonly reason: JsonObject }
    }
  | { readonly type: 'OrderReturned'; readonly data: Moved & ReturnedGoods & { readonly method: PaymentChoice['method'] } }
