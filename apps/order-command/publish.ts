import {
  OrderCancelled,
  OrderConfirmed,
  OrderDelivered,
  OrderOutForDelivery,
  OrderPacked,
  OrderPlaced,
  OrderReturned,
  OrderReturnRequested,
  OrderReviewStarted,
  OrderShipped,
  ProductChanged,
  StockChanged,
  type MessageContract,
} from '#contracts'
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

const orderContracts: ReadonlyMap<string, Pick<MessageContract, 'parse' | 'message'>> = new Map(
  [
    OrderPlaced,
    OrderReviewStarted,
    OrderConfirmed,
    OrderCancelled,
    OrderPacked,
    OrderShipped,
    OrderOutForDelivery,
    OrderDelivered,
    OrderReturnRequested,
    OrderReturned,
  ].map((contract) => [contract.type, contract]),
)

/** An order's events are named and shaped as their contracts; the publisher adds whose they are, which version they made, and who did it. */
const publishOrder = (orderId: string, event: RecordedEvent): readonly OutgoingMessage[] => {
  const contract = orderContracts.get(event.type)
  if (!contract) throw new Error(`no contract publishes ${event.type}`)
  const data = { ...event.data, orderId, version: event.version, by: event.metadata.actor }
  return [contract.message(orderId, contract.parse(data), contextOf(event))]
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
