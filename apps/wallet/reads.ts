import type { Events, RecordedEvent, StreamState } from '#event-store'
import { notFound } from '#platform'
import { audit, evolve, findHold, noWallet, statementEntry, writeWallet, type StatementEntry, type WalletState } from '#wallet'
import { isDeepStrictEqual } from 'node:util'
import { firstRecordedSince, holdInHistory, loadInHistory, type HoldFound } from './history.js'
import { Mentions } from './mentions.js'
import type { ShownLoad } from './view.js'
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
  readonly #mentions: Mentions

  constructor(private readonly events: Events) {
    this.#mentions = new Mentions(events)
  }

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

  /** A hold, open or ended; undefined where the wallet never had it. An open one is at hand, others are looked for in the stream. */
  async hold(walletId: string, holdId: string): Promise<HoldFound | undefined> {
    const { state, version } = await this.now(walletId)
    const open = findHold(state.holds, holdId)
    if (open) return { hold: open, status: 'OPEN' }
    return holdInHistory(this.#mentions.of(walletId, version, holdId), holdId)
  }

  /** A load, under way or ended; undefined where the wallet never had it. */
  async load(walletId: string, loadId: string): Promise<ShownLoad | undefined> {
    const { version } = await this.now(walletId)
    return loadInHistory(this.#mentions.of(walletId, version, loadId), walletId, loadId)
  }

  /** The statement's line of one version; undefined where no money moved then. */
  async entry(walletId: string, version: number): Promise<StatementEntry | undefined> {
    for await (const recorded of this.recorded(walletId, version - 1, 1)) return lineOf(recorded)
    return undefined
  }

  /** Statement lines with the version of each, oldest first; `from` is in, `to` is out, milliseconds since the epoch. */
  async *statement(
    walletId: string,
    { after, from_ms, to_ms }: { readonly after: number; readonly from_ms: number; readonly to_ms: number },
  ): AsyncGenerator<StatementEntry & { readonly version: number }> {
    const { version } = await this.now(walletId)
    const start = from_ms <= 0 ? 1 : await firstRecordedSince(this.events, walletStreamName(walletId), version, from_ms)
    for await (const recorded of this.recorded(walletId, Math.max(after, start - 1))) {
      if (recorded.recordedAt >= to_ms) return
      const entry = lineOf(recorded)
      if (entry) yield { ...entry, version: recorded.version }
    }
  }

  /**
   * The hash chain holds; each event's balance and held are what the amounts before it add up to; and the fold of all events is both what
   * this process decides on and what the stored snapshot and the events after it give.
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
    const stored = await this.events.loadAt(walletRef(walletId), { version })
    const same = folded === version && [given, stored.state].every((each) => isDeepStrictEqual(writeWallet(each), writeWallet(state)))
    const faults = [
      ...(chain.ok ? [] : ['hash-chain' as const]),
      ...(balanced ? [] : ['balances' as const]),
      ...(same ? [] : ['state' as const]),
    ]
    return { ok: faults.length === 0, version: chain.version, checkedEvents: chain.checkedEvents, head: chain.head, faults }
  }
}

const lineOf = (recorded: RecordedEvent): StatementEntry | undefined => {
  const entry = statementEntry(walletEvent(recorded))
  return entry && { ...entry, at_ms: recorded.recordedAt }
}

const found = (loaded: StreamState<WalletState>): StreamState<WalletState> => {
  if (loaded.version === 0) throw notFound('wallet')
  return loaded
}
