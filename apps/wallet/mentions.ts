import type { Events, RecordedEvent } from '#event-store'
import { LRUCache } from 'lru-cache'
import { walletEvent, walletStreamName } from './streams.js'

/** Of all wallets together, some 12 MB. A wallet that has more by itself is not remembered. */
const MOST_REMEMBERED = 100_000

/** The versions at which a wallet's events speak of a hold or a load, by its id, as far as the stream was read. */
interface Known {
  upTo: number
  readonly versions: Map<string, number[]>
}

/**
 * Finds what a wallet's stream tells of one hold or load. A stream is read once and from then on only what is new in it, one reading at a time
 * for all who ask: so an id that the wallet never had costs no more than one that it had, however many are asked for and however long the
 * stream is.
 */
export class Mentions {
  readonly #known = new LRUCache<string, Known>({ maxSize: MOST_REMEMBERED, sizeCalculation: ({ versions }) => 1 + versions.size })
  readonly #readings = new Map<string, Promise<Known>>()

  constructor(private readonly events: Pick<Events, 'readStream'>) {}

  /** The events up to at least `version`, which the wallet has, that speak of it; oldest first. */
  async *of(walletId: string, version: number, id: string): AsyncGenerator<RecordedEvent> {
    const { versions } = await this.#knownUpTo(walletId, version)
    const stream = walletStreamName(walletId)
    for (const at of versions.get(id) ?? []) yield* this.events.readStream(stream, { from: at, limit: 1 })
  }

  async #knownUpTo(walletId: string, version: number): Promise<Known> {
    const known = this.#known.get(walletId)
    if (known && known.upTo >= version) return known
    // One that began before this version was there may end short of it; the next begins after.
    const underWay = await this.#readings.get(walletId)
    if (underWay && underWay.upTo >= version) return underWay
    return this.#readings.get(walletId) ?? this.#begin(walletId)
  }

  #begin(walletId: string): Promise<Known> {
    const reading = this.#read(walletId).finally(() => this.#readings.delete(walletId))
    this.#readings.set(walletId, reading)
    return reading
  }

  async #read(walletId: string): Promise<Known> {
    const known = this.#known.get(walletId) ?? { upTo: 0, versions: new Map<string, number[]>() }
    for await (const recorded of this.events.readStream(walletStreamName(walletId), { from: known.upTo + 1 })) {
      const { data } = walletEvent(recorded)
      const id = 'holdId' in data ? data.holdId : 'loadId' in data ? data.loadId : undefined
      const versions = id === undefined ? undefined : known.versions.get(id)
      if (versions) versions.push(recorded.version)
      else if (id !== undefined) known.versions.set(id, [recorded.version])
      known.upTo = recorded.version
    }
    // Again, as it has grown.
    this.#known.set(walletId, known)
    return known
  }
}
