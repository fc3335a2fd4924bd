import { LoadRequested, WalletChanged } from '#contracts'
import type { Publisher } from '#event-store'
import type { WalletEvent } from '#wallet'
import { walletEvent, walletIdOf } from './streams.js'

/**
 * Every event of a wallet is published as what the wallet is after it; a load that is to be paid beside it, for whoever takes payments. Which
 * wallet an owner has follows from them.
 */
export const publishWallet: Publisher = (recorded) => {
  const walletId = walletIdOf(recorded)
  if (walletId === undefined) return []
  const event = walletEvent(recorded)
  const { ownerId, balance, held, status, at_ms } = event.data
  const reference = referenceOf(event)
  const data = {
    walletId,
    ownerId,
    version: recorded.version,
    change: event.type,
    amount: 'amount' in event.data ? event.data.amount : '0',
    balance,
    held,
    status,
    ...(reference === undefined ? {} : { reference }),
    at: new Date(at_ms).toISOString(),
  }
  const { correlationId, traceparent } = recorded.metadata
  const context = { correlationId, causationId: recorded.metadata.commandId, ...(traceparent === undefined ? {} : { traceparent }) }
  const changed = WalletChanged.message(walletId, data, context)
  if (event.type !== 'LoadRequested') return [changed]
  const { loadId, amount, payment } = event.data
  const { method, flow, instrument } = payment
  const how = { method, ...(flow === undefined ? {} : { flow }), instrument }
  const { at, version } = data
  return [changed, LoadRequested.message(walletId, { loadId, walletId, customerId: ownerId, version, amount, ...how, at }, context)]
}

const referenceOf = ({ data }: WalletEvent): string | undefined => ('reference' in data ? data.reference : undefined)
