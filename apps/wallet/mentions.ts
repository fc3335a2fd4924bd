import type { Events, RecordedEvent } from '#event-store'
import { LRUCache } from 'lru-cache'
import { walletEvent, walletStreamName } from './streams.js'

/** Of all wallets together: 32 MiB. A wallet whose stream speaks of holds and loads four million times is not remembered by itself. */
const MOST_REMEMBERED_BYTES = 33_554_432
const FIRST_MENTIONS = 64

/** 32 bits of FNV-1a: what shares them costs the read of an event more, and is not taken for the other. */
const shortHash = (id: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** The versions at which a wallet's events speak of a hold or a load, as far as the stream was read: eight bytes for each, whatever its id. */
class Known {
  upTo = 0
  #length = 0
  #hashes = new Uint32Array(FIRST_MENTIONS)
  #versions = new Uint32Array(FIRST_MENTIONS)

  get bytes(): number {
    return this.#hashes.byteLength + this.#versions.byteLength
  }

  add(id: string, version: number): void {
    if (this.#length === this.#hashes.length) {
      this.#hashes = grown(this.#hashes)
      this.#versions = grown(this.#versions)
    }
    this.#hashes[this.#length] = shortHash(id)
    this.#versions[this.#length++] = version
  }

  /** Of this id, and now and then of another. */
  *versionsOf(id: string): Generator<number> {
    const hash = shortHash(id)
    const length = this.#length
    for (let at = this.#hashes.indexOf(hash); at !== -1 && at < length; at = this.#hashes.indexOf(hash, at + 1)) {
      const version = this.#versions[at]
      if (version !== undefined) yield version
    }
  }
}

const grown = (numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
  const larger = new Uint32Array(numbers.length * 2)
  larger.set(numbers)
  return larger
}

/**
 * Finds what a wallet's stream tells of one hold or load. A stream is read once and from then on only what is new in it, one reading at a time
 * for all who ask: so an id that the wallet never had costs no more than one that it had, however many are asked for and however long the
 * stream is.
 */
export class Mentions {
  readonly #known = new LRUCache<string, Known>({ maxSize: MOST_REMEMBERED_BYTES, sizeCalculation: ({ bytes }) => bytes })
  readonly #readings = new Map<string, Promise<Known>>()

  constructor(private readonly events: Pick<Events, 'readStream'>) {}

  /** The events up to at least `version`, which the wallet has, that speak of it; oldest first. */
  async *of(walletId: string, version: number, id: string): AsyncGenerator<RecordedEvent> {
    const known = await this.#knownUpTo(walletId, version)
    const stream = walletStreamName(walletId)
    for (const at of known.versionsOf(id))
      for await (const recorded of this.events.readStream(stream, { from: at, limit: 1 })) if (idOf(recorded) === id) yield recorded
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
    const known = this.#known.get(walletId) ?? new Known()
    for await (const recorded of this.events.readStream(walletStreamName(walletId), { from: known.upTo + 1 })) {
      const id = idOf(recorded)
      if (id !== undefined) known.add(id, recorded.version)
      known.upTo = recorded.version
    }
    // Again, as it has grown.
    this.#known.set(walletId, known)
    return known
  }
}

const idOf = (recorded: RecordedEvent): string | undefined => {
  const { data } = walletEvent(recorded)
  return 'holdId' in data ? data.holdId : 'loadId' in data ? data.loadId : undefined
}
