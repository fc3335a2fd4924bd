import Type from 'typebox'
import { Amount, defineMessage, Id, Sealed, Timestamp, Version } from './define.js'

export const WALLET_EVENTS = 'wallet.events'

const changed = Type.Object({
  walletId: Id,
  ownerId: Id,
  version: Version,
  /** What happened: the wallet's own event type, `HoldCaptured`. */
  change: Type.String(),
  amount: Amount,
  balance: Amount,
  held: Amount,
  status: Type.Union([Type.Literal('OPEN'), Type.Literal('FROZEN'), Type.Literal('CLOSED')]),
  reference: Type.Optional(Type.String()),
  at: Timestamp,
})

/** A wallet after each of its events. Keyed by wallet. */
export const WalletChanged = defineMessage(WALLET_EVENTS, 'WalletChanged', 1, changed, {
  walletId: '0190a000-0000-7000-8000-0000000000aa',
  ownerId: 'c-1',
  version: 4,
  change: 'HoldCaptured',
  amount: '299800',
  balance: '700200',
  held: '0',
  status: 'OPEN',
  reference: '0190a000-0000-7000-8000-000000000001',
  at: '2026-11-01T10:00:01.000Z',
})

const loadRequested = Type.Object({
  loadId: Id,
  walletId: Id,
  customerId: Id,
  /** Of the wallet. */
  version: Version,
  amount: Amount,
  method: Type.Union([Type.Literal('upi'), Type.Literal('card'), Type.Literal('netbanking')]),
  flow: Type.Optional(Type.Union([Type.Literal('collect'), Type.Literal('intent')])),
  /** The VPA, card token or bank code. */
  instrument: Sealed,
  at: Timestamp,
})

/**
 * A customer wants to load their wallet, and its limits have room for it. payment-saga answers: it takes the payment and then sends
 * `CreditLoad`, or gives back what it took and sends `FailLoad`. Keyed by wallet.
 */
export const LoadRequested = defineMessage(WALLET_EVENTS, 'LoadRequested', 1, loadRequested, {
  loadId: '0190a000-0000-7000-8000-0000000000e1',
  walletId: '0190a000-0000-7000-8000-0000000000aa',
  customerId: 'c-1',
  version: 5,
  amount: '50000',
  method: 'upi',
  flow: 'collect',
  instrument: { subject: 'c-1', nonce: 'bm9uY2U', ciphertext: 'Y2lwaGVy' },
  at: '2026-11-01T10:00:01.000Z',
})
