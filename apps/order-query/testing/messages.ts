import {
  AlertDecided,
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
  PaymentChanged,
  ProductChanged,
  StockChanged,
  TransactionScored,
  type AlertDecidedData,
  type MessageContract,
  type OrderCancelledData,
  type OrderDeliveredData,
  type OrderPlacedData,
  type OrderReturnedData,
  type OrderReturnRequestedData,
  type OrderShippedData,
  type PaymentChangedData,
  type ProductChangedData,
  type StockChangedData,
  type TransactionScoredData,
} from '#contracts'
import type { IncomingMessage } from '#kernel'

export const INCARNATION = '0190a000-0000-7000-8000-00000000aaaa'
export const RESTORED = '0190b000-0000-7000-8000-00000000bbbb'

const SOURCES: Readonly<Record<string, string>> = {
  'orders.events': 'order-command',
  'catalogue.events': 'order-command',
  'stock.events': 'order-command',
  'payments.events': 'payment-saga',
  'fraud.events': 'fraud',
}

let position = 0n

/** As the log hands it over. Positions count up over all of them. */
export const incoming = <Data extends object>(
  contract: MessageContract<Data>,
  key: string,
  data: Data,
  incarnation = INCARNATION,
): IncomingMessage => ({
  topic: contract.topic,
  partition: 0,
  offset: ++position,
  key,
  id: `${incarnation}/${position}/0`,
  type: contract.type,
  schemaVersion: contract.version,
  source: SOURCES[contract.topic] ?? 'unknown',
  origin: { incarnation, position, ordinal: 0 },
  time: Date.parse('2026-11-01T10:00:00.000Z'),
  data: contract.message(key, data, { correlationId: key, causationId: key }).data,
  context: { correlationId: key, causationId: key },
})

type Changes<Data> = Partial<Data> & { readonly incarnation?: string }

const maker =
  <Data extends object>(contract: MessageContract<Data>, keyOf: (data: Data) => string) =>
  ({ incarnation, ...changes }: Changes<Data> = {} as Changes<Data>): IncomingMessage => {
    const data = { ...contract.example, ...changes }
    return incoming(contract, keyOf(data), data, incarnation)
  }

type MovedData = typeof OrderConfirmed.example

/** Messages as their contract's example shows them, but for what is given. */
export const messages = {
  placed: maker<OrderPlacedData>(OrderPlaced, ({ orderId }) => orderId),
  reviewStarted: maker<MovedData>(OrderReviewStarted, ({ orderId }) => orderId),
  confirmed: maker<MovedData>(OrderConfirmed, ({ orderId }) => orderId),
  cancelled: maker<OrderCancelledData>(OrderCancelled, ({ orderId }) => orderId),
  packed: maker<MovedData>(OrderPacked, ({ orderId }) => orderId),
  shipped: maker<OrderShippedData>(OrderShipped, ({ orderId }) => orderId),
  outForDelivery: maker<MovedData>(OrderOutForDelivery, ({ orderId }) => orderId),
  delivered: maker<OrderDeliveredData>(OrderDelivered, ({ orderId }) => orderId),
  returnRequested: maker<OrderReturnRequestedData>(OrderReturnRequested, ({ orderId }) => orderId),
  returned: maker<OrderReturnedData>(OrderReturned, ({ orderId }) => orderId),
  payment: maker<PaymentChangedData>(PaymentChanged, ({ orderId }) => orderId),
  product: maker<ProductChangedData>(ProductChanged, ({ sku }) => sku),
  stock: maker<StockChangedData>(StockChanged, ({ sku }) => sku),
  scored: maker<TransactionScoredData>(TransactionScored, ({ orderId }) => orderId),
  alertDecided: maker<AlertDecidedData>(AlertDecided, ({ orderId }) => orderId),
}

export const orderId = (number: number): string => `0190a000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`
