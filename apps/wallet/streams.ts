import { auditStream, type RecordedEvent, type StreamRef } from '#event-store'
import { ownerStream, walletStream, type OwnerState, type WalletEvent, type WalletState } from '#wallet'
import { ownerEvents, walletEvents } from './event-types.js'

/** What this app's store keeps. */
export const streamTypes = [{ ...walletStream, events: walletEvents }, { ...ownerStream, events: ownerEvents }, auditStream]

export const walletRef = (walletId: string): StreamRef<WalletState> => ({ type: walletStream, id: walletId })
export const freshWalletRef = (walletId: string): StreamRef<WalletState> => ({ type: walletStream, id: walletId, fresh: true })
export const ownerRef = (ownerId: string): StreamRef<OwnerState> => ({ type: ownerStream, id: ownerId })

export const walletStreamName = (walletId: string): string => `${walletStream.category}-${walletId}`

/** The wallet's id of an event of a wallet; undefined for an owner's event. Wallet ids are UUIDs, so the prefixes cannot be confused. */
export const walletIdOf = ({ stream }: Pick<RecordedEvent, 'stream'>): string | undefined =>
  stream.startsWith(`${walletStream.category}-`) && !stream.startsWith(`${ownerStream.category}-`)
    ? stream.slice(walletStream.category.length + 1)
    : undefined

/** An event of a wallet's stream as the domain wrote it: only the wallet's decider appends there, and the hash chain guards what was written. */
export const walletEvent = (recorded: Pick<RecordedEvent, 'type' | 'data'>): WalletEvent =>
  ({ type: recorded.type, data: recorded.data }) as unknown as WalletEvent
