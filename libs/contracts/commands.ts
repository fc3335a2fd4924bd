import Type from 'typebox'
import { CancellationReason } from './orders-events.js'
import { Amount, defineMessage, Id, Sku, Timestamp } from './define.js'

/**
 * Commands between apps. Each has an id chosen by its sender (`ce_id`): the same id is the same command and gets the same answer, on
 * `replies`, keyed by `replyTo`. A refusal is an answer.
 */
export const STOCK_COMMANDS = 'stock.commands'
export const ORDERS_COMMANDS = 'orders.commands'
export const WALLET_COMMANDS = 'wallet.commands'
export const FRAUD_COMMANDS = 'fraud.commands'

/** `replyTo` is the id of the saga that waits. */
const command = <P extends Parameters<typeof Type.Object>[0]>(properties: P) => Type.Object({ replyTo: Id, ...properties })

const SAGA = '0190a000-0000-7000-8000-0000000000f1'
const ORDER = '0190a000-0000-7000-8000-000000000001'
const WALLET = '0190a000-0000-7000-8000-0000000000aa'

const lines = Type.Array(Type.Object({ sku: Sku, quantity: Type.Integer({ minimum: 1 }) }), { minItems: 1, maxItems: 100 })
const exampleLines = [{ sku: 'BOAT-141', quantity: 2 }]

/** All lines or none. Keyed by order. Refused: `out-of-stock`. */
export const ReserveStock = defineMessage(STOCK_COMMANDS, 'ReserveStock', 1, command({ orderId: Id, lines }), {
  replyTo: SAGA,
  orderId: ORDER,
  lines: exampleLines,
})
/** Gives back what the order still reserves; nothing reserved is no refusal, and a reservation that comes after it is refused. Keyed by order. */
export const ReleaseStock = defineMessage(STOCK_COMMANDS, 'ReleaseStock', 1, command({ orderId: Id, lines }), {
  replyTo: SAGA,
  orderId: ORDER,
  lines: exampleLines,
})

/** Keyed by order. Refused: `invalid-transition` once it is cancelled. */
export const ConfirmOrder = defineMessage(ORDERS_COMMANDS, 'ConfirmOrder', 1, command({ orderId: Id }), { replyTo: SAGA, orderId: ORDER })
export const StartReview = defineMessage(ORDERS_COMMANDS, 'StartReview', 1, command({ orderId: Id }), { replyTo: SAGA, orderId: ORDER })
/** Cancels an order that is not confirmed; one already cancelled stays as it is, with no refusal. */
export const CancelOrder = defineMessage(ORDERS_COMMANDS, 'CancelOrder', 1, command({ orderId: Id, reason: CancellationReason }), {
  replyTo: SAGA,
  orderId: ORDER,
  reason: 'out-of-stock',
})

const hold = { walletId: Id, holdId: Id }
/** A saga's hold has no expiry of its own. Refused: `unknown-wallet`, `not-owner`, `insufficient-funds`, `wallet-frozen`, `wallet-closed`. Keyed by wallet. */
export const HoldFunds = defineMessage(
  WALLET_COMMANDS,
  'HoldFunds',
  1,
  command({ ...hold, customerId: Id, amount: Amount, reference: Id }),
  {
    replyTo: SAGA,
    walletId: WALLET,
    holdId: SAGA,
    customerId: 'c-1',
    amount: '299800',
    reference: ORDER,
  },
)
/** Refused: `hold-not-open` when it was released. Keyed by wallet. */
export const CaptureHold = defineMessage(WALLET_COMMANDS, 'CaptureHold', 1, command({ ...hold, reference: Id }), {
  replyTo: SAGA,
  walletId: WALLET,
  holdId: SAGA,
  reference: ORDER,
})
/** A hold that never was is released for good: a `HoldFunds` of that id that comes later is refused `hold-not-open`. Keyed by wallet. */
export const ReleaseHold = defineMessage(WALLET_COMMANDS, 'ReleaseHold', 1, command({ ...hold, reference: Id }), {
  replyTo: SAGA,
  walletId: WALLET,
  holdId: SAGA,
  reference: ORDER,
})
/** Money back into a wallet: never refused by a limit or a freeze. Keyed by wallet. */
export const RefundToWallet = defineMessage(
  WALLET_COMMANDS,
  'RefundToWallet',
  1,
  command({ walletId: Id, amount: Amount, reference: Id }),
  {
    replyTo: SAGA,
    walletId: WALLET,
    amount: '299800',
    reference: ORDER,
  },
)

const load = { walletId: Id, loadId: Id }
const exampleLoad = { walletId: WALLET, loadId: '0190a000-0000-7000-8000-0000000000e1' }
/** Where the customer goes on to pay a load. No refusal where the load has ended; nobody waits for the answer. Keyed by wallet. */
export const RedirectLoad = defineMessage(
  WALLET_COMMANDS,
  'RedirectLoad',
  1,
  command({
    ...load,
    next: Type.Object({ kind: Type.Union([Type.Literal('redirect'), Type.Literal('intent')]), url: Type.String({ maxLength: 2_000 }) }),
  }),
  { replyTo: SAGA, ...exampleLoad, next: { kind: 'redirect', url: 'https://bank.example/pay/1' } },
)
/** A load was paid. Refused: `wallet-closed`, `load-not-open`; never by a limit. Keyed by wallet. */
export const CreditLoad = defineMessage(WALLET_COMMANDS, 'CreditLoad', 1, command(load), { replyTo: SAGA, ...exampleLoad })
/** A load was not paid, or its payment goes back: its room in the limits is free again. Refused: `load-not-open`. Keyed by wallet. */
export const FailLoad = defineMessage(WALLET_COMMANDS, 'FailLoad', 1, command({ ...load, reason: Type.String({ maxLength: 64 }) }), {
  replyTo: SAGA,
  ...exampleLoad,
  reason: 'payment-declined',
})

/** Answered by `CommandAnswered` with `result: {decision, score, alertId?}`. Keyed by order. */
export const ScoreTransaction = defineMessage(
  FRAUD_COMMANDS,
  'ScoreTransaction',
  1,
  command({
    orderId: Id,
    customerId: Id,
    amount: Amount,
    method: Type.String(),
    addressHash: Type.String(),
    deviceHash: Type.Optional(Type.String()),
    placedAt: Timestamp,
  }),
  {
    replyTo: SAGA,
    orderId: ORDER,
    customerId: 'c-1',
    amount: '299800',
    method: 'wallet',
    addressHash: '5f2b',
    placedAt: '2026-11-01T10:00:00.000Z',
  },
)
