import { OrderCancelled, OrderConfirmed, OrderPlaced, OrderReviewStarted, ProductChanged, StockChanged } from '#contracts'
import type { Publisher, RecordedEvent } from '#event-store'
import type { MessageContext, OutgoingMessage } from '#kernel'
import { orderStream, productStream } from '#order'
import { stockStream } from '#stock'
import { streamOf } from './streams.js'

/** What others hear of this app's events. A reservation is nobody's business but its stock's, which publishes its own. */
export const publish: Publisher = (event) => {
  const { category, id } = streamOf(event)
  switch (category) {
    case orderStream.category:
      return publishOrder(id, event)
    case productStream.category:
      return [
        ProductChanged.message(
          id,
          ProductChanged.parse({ ...event.data, sku: id, version: event.version, at: timeOf(event) }),
          contextOf(event),
        ),
      ]
    case stockStream.category:
      return publishStock(id, event)
    default:
      return []
  }
}

const publishOrder = (orderId: string, event: RecordedEvent): readonly OutgoingMessage[] => {
  const { version, metadata } = event
  const context = contextOf(event)
  const placed = { ...event.data, orderId, version }
  const moved = { ...placed, by: metadata.actor }
  switch (event.type) {
    case 'OrderPlaced':
      return [OrderPlaced.message(orderId, OrderPlaced.parse(placed), context)]
    case 'OrderReviewStarted':
      return [OrderReviewStarted.message(orderId, OrderReviewStarted.parse(moved), context)]
    case 'OrderConfirmed':
      return [OrderConfirmed.message(orderId, OrderConfirmed.parse(moved), context)]
    case 'OrderCancelled':
      return [OrderCancelled.message(orderId, OrderCancelled.parse(moved), context)]
    default:
      throw new Error(`no contract publishes ${event.type}`)
  }
}

const publishStock = (sku: string, event: RecordedEvent): readonly OutgoingMessage[] => {
  const onHand = Number(event.data['onHand'])
  const reserved = Number(event.data['reserved'])
  const data = { sku, version: event.version, onHand, reserved, available: onHand - reserved, at: timeOf(event) }
  return [StockChanged.message(sku, data, contextOf(event))]
}

const timeOf = ({ recordedAt }: RecordedEvent): string => new Date(recordedAt).toISOString()

const contextOf = ({ metadata: { correlationId, commandId, traceparent } }: RecordedEvent): MessageContext => ({
  correlationId,
  causationId: commandId,
  ...(traceparent === undefined ? {} : { traceparent }),
})
