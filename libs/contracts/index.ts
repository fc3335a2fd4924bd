import { AUDIT_EVENTS, PrivilegedActDone } from './audit-events.js'
import { CATALOGUE_EVENTS, ProductChanged } from './catalogue-events.js'
import * as commands from './commands.js'
import { FRAUD_COMMANDS, ORDERS_COMMANDS, STOCK_COMMANDS, WALLET_COMMANDS } from './commands.js'
import { MessageParked, MessageRecovered, MessageRedriven, RedriveRequested } from './dead-letters.js'
import type { MessageContract } from './define.js'
import { AlertDecided, FRAUD_EVENTS, TransactionScored } from './fraud-events.js'
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
  ORDERS_EVENTS,
  OrderShipped,
  VisibilityProbed,
} from './orders-events.js'
import { PaymentChanged, PAYMENTS_EVENTS, ProviderPaymentChanged } from './payments-events.js'
import { CommandAnswered, REPLIES } from './replies.js'
import { STOCK_EVENTS, StockChanged } from './stock-events.js'
import { LoadRequested, WALLET_EVENTS, WalletChanged } from './wallet-events.js'

export * from './audit-events.js'
export * from './catalogue-events.js'
export * from './compatibility.js'
export * from './commands.js'
export * from './dead-letters.js'
export * from './define.js'
export * from './fraud-events.js'
export * from './orders-events.js'
export * from './payments-events.js'
export * from './replies.js'
export * from './stock-events.js'
export * from './wallet-events.js'

export const TOPICS = [
  ORDERS_EVENTS,
  CATALOGUE_EVENTS,
  STOCK_EVENTS,
  WALLET_EVENTS,
  PAYMENTS_EVENTS,
  FRAUD_EVENTS,
  AUDIT_EVENTS,
  STOCK_COMMANDS,
  ORDERS_COMMANDS,
  WALLET_COMMANDS,
  FRAUD_COMMANDS,
  REPLIES,
] as const

/** Every message there is. */
export const CONTRACTS: readonly MessageContract<never>[] = [
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
  VisibilityProbed,
  ProductChanged,
  StockChanged,
  WalletChanged,
  LoadRequested,
  PaymentChanged,
  ProviderPaymentChanged,
  TransactionScored,
  AlertDecided,
  PrivilegedActDone,
  commands.ReserveStock,
  commands.ReleaseStock,
  commands.ConfirmOrder,
  commands.StartReview,
  commands.CancelOrder,
  commands.HoldFunds,
  commands.CaptureHold,
  commands.ReleaseHold,
  commands.RefundToWallet,
  commands.RedirectLoad,
  commands.CreditLoad,
  commands.FailLoad,
  commands.ScoreTransaction,
  CommandAnswered,
  MessageParked,
  MessageRedriven,
  MessageRecovered,
  RedriveRequested,
] as unknown as readonly MessageContract<never>[]
