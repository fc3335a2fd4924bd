import type { Events, RecordedEvent, StreamState } from '#event-store'
import { notFound } from '#platform'
import { audit, evolve, noWallet, statementEntry, writeWallet, type StatementEntry, type WalletState } from '#wallet'
import { ownerRef, walletEvent, walletRef, walletStreamName } from './streams.js'

export interface Verification {
  readonly ok: boolean
  readonly version: number
  readonly checkedEvents: number
  readonly head: string
  /** What is wrong, where something is. */
  readonly faults: readonly ('hash-chain' | 'balances' | 'state')[]
}

/** What can be read of wallets, straight from their events: never older than what this app has answered. */
export class WalletReads {
  constructor(private readonly events: Events) {}

  /** Rejects with a 404 problem where there is no such wallet. */
  async now(walletId: string): Promise<StreamState<WalletState>> {
    return found(await this.events.load(walletRef(walletId)))
  }

  /** As it was: at a version, or with what had been recorded by a time. 404 where it was not there then. */
  async asOf(walletId: string, at: { readonly version: number } | { readonly time: number }): Promise<StreamState<WalletState>> {
    const past = found(await this.events.loadAt(walletRef(walletId), at))
    if ('version' in at && past.version !== at.version) throw notFound('version')
    return past
  }

  /** The owner's open wallet, else the one closed last. */
  async ownedBy(ownerId: string): Promise<string> {
    const { state } = await this.events.load(ownerRef(ownerId))
    const walletId = state.walletId ?? state.closedWalletId
    if (walletId === null) throw notFound('wallet')
    return walletId
  }

  recorded(walletId: string, after: number, limit?: number): AsyncIterable<RecordedEvent> {
    return this.events.readStream(walletStreamName(walletId), { from: after + 1, ...(limit === undefined ? {} : { limit }) })
  }

  /** Statement lines with the version of each, oldest first; `from` is in, `to` is out, milliseconds since the epoch. */
  async *statement(
    walletId: string,
    { after, from_ms, to_ms }: { readonly after: number; readonly from_ms: number; readonly to_ms: number },
  ): AsyncGenerator<StatementEntry & { readonly version: number }> {
    for await (const recorded of this.recorded(walletId, after)) {
      if (recorded.recordedAt >= to_ms) return
      const entry = recorded.recordedAt >= from_ms ? statementEntry(walletEvent(recorded)) : undefined
      if (entry) yield { ...entry, at_ms: recorded.recordedAt, version: recorded.version }
    }
  }

  /**
   * The hash chain holds; each event's balance and held are what the amounts before it add up to; and what the store gives (snapshot and
   * tail) is the fold of all events.
   */
  async verify(walletId: string): Promise<Verification> {
    const { state: given, version } = await this.now(walletId)
    const chain = await this.events.verify(walletStreamName(walletId))
    let state = noWallet
    let balanced = true
    let folded = 0
    for await (const recorded of this.recorded(walletId, 0, version)) {
      const event = walletEvent(recorded)
      balanced &&= audit([event], state).wrongAt === undefined
      state = evolve(state, event)
      folded++
    }
    const same = folded === version && JSON.stringify(writeWallet(state)) === JSON.stringify(writeWallet(given))
    const faults = [
      ...(chain.ok ? [] : ['hash-chain' as const]),
      ...(balanced ? [] : ['balances' as const]),
      ...(same ? [] : ['state' as const]),
    ]
    return { ok: faults.length === 0, version: chain.version, checkedEvents: chain.checkedEvents, head: chain.head, faults }
  }
}

const found = (loaded: StreamState<WalletState>): StreamState<WalletState> => {
  if (loaded.version === 0) throw notFound('wallet')
  return loaded
}
