import { OrderCancelled, OrderConfirmed, PaymentChanged } from '#contracts'
import type { IncomingMessage } from '#kernel'
import { noEffect, type BatchHandler } from '#messaging'
import type { FeatureStore, OrderOutcome } from './feature-store.js'

/** Learns from `orders.events` and `payments.events` what became of the orders that were scored. */
export class OrderOutcomes {
  constructor(private readonly features: FeatureStore) {}

  readonly handle: BatchHandler = (messages) => {
    const outcomes = messages.flatMap(outcomeOf)
    return Promise.resolve(outcomes.length === 0 ? noEffect : (tx) => this.features.recordOutcomes(tx, outcomes))
  }
}

const outcomeOf = ({ type, data }: IncomingMessage): readonly OrderOutcome[] => {
  switch (type) {
    case OrderConfirmed.type:
      return [{ orderId: OrderConfirmed.parse(data).orderId, confirmed: true }]
    case OrderCancelled.type: {
      const { orderId, reason } = OrderCancelled.parse(data)
      return [{ orderId, cancelReason: reason }]
    }
    case PaymentChanged.type: {
      const { orderId, status } = PaymentChanged.parse(data)
      return status === 'COMPENSATED' ? [{ orderId, compensated: true }] : []
    }
    default:
      return []
  }
}
