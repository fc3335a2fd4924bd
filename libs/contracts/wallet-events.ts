import Type, { type Static } from 'typebox'
import { Amount, defineMessage, Id, Timestamp, Version } from './define.js'

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
export type WalletChangedData = Static<typeof changed>
