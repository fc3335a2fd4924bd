import { systemClock, systemRandom, type Clock, type Outbox, type OutboxEntry, type Random } from '#kernel'
import type { Tracing } from '#tracing'
import { randomUUID } from 'node:crypto'
import { backoff_ms } from './backoff.js'
import { encodeMessage } from './cloud-events.js'
import type { LogDriver, LogProducer, LogRecord } from './log.js'
import { publishing, type Publishing } from './publishing.js'
import { Wakeup } from './wakeup.js'

export interface RelayListener {
  /** A page was acknowledged. `delay_ms`: from its oldest message's recording to the acknowledgement. */
  onSent?(sent: { readonly messages: number; readonly delay_ms: number; readonly position: bigint }): void
  /** The relay stands: at `position`, for the `attempt`th time, having waited since the oldest unsent message for `age_ms`. */
  onError?(failure: { readonly error: unknown; readonly position: bigint; readonly attempt: number; readonly age_ms: number }): void
  onLease?(state: 'held' | 'waiting' | 'lost'): void
}

export interface RelayOptions {
  readonly outbox: Outbox
  readonly driver: LogDriver
  /** `ce_source`: the app that publishes. */
  readonly app: string
  readonly clock?: Clock
  readonly random?: Random
  readonly listener?: RelayListener
  /** Entries a page; 500. */
  readonly page?: number
  /** How long a dead relay blocks a standby; 10 s. */
  readonly leaseTtl_ms?: number
  /** The slow poll behind the doorbell; 1 s. */
  readonly poll_ms?: number
  /** Where spans are kept: one for each message that is published. */
  readonly tracing?: Tracing | undefined
}

class LeaseLost extends Error {}

/**
 * Follows an outbox by position and publishes to the log: at most one batch in flight, in commit order, its position moved only past what
 * the log acknowledged. While a batch is in flight the next page is read. It never skips: an error stops it at that position, and it tries
 * again with backoff for as long as it takes. A repeat (crash between acknowledgement and position) is dropped by consumers.
 */
export class Relay {
  readonly #outbox: Outbox
  readonly #clock: Clock
  readonly #random: Random
  readonly #owner = randomUUID()
  readonly #wakeup = new Wakeup()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #bell: { close(): Promise<void> } | undefined
  #position = 0n
  #age_ms = 0
  #healthy = true

  constructor(private readonly options: RelayOptions) {
    this.#outbox = options.outbox
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
  }

  /** Resolves once it listens; publishing goes on behind. */
  async start(): Promise<void> {
    if (this.#running) return
    this.#bell = await this.#outbox.onDoorbell(() => this.#wakeup.ring())
    this.#running = this.#run()
  }

  /** Waits for the batch in flight, then gives the lease back. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the relay stops'))
    this.#wakeup.ring()
    await this.#running
    await this.#bell?.close()
  }

  /** False while it cannot publish. A standby is healthy. */
  healthy(): boolean {
    return this.#healthy
  }

  /** The last acknowledged position, and how long the oldest message that waits has waited, as far as it is known. */
  state(): { readonly position: bigint; readonly age_ms: number } {
    return { position: this.#position, age_ms: this.#age_ms }
  }

  async #run(): Promise<void> {
    let attempt = 0
    while (!this.#stopping.signal.aborted) {
      try {
        const lease = await this.#lease()
        if (!lease) {
          // Another publishes, or to another log: what failed here is its business now.
          this.#healthy = true
          this.#age_ms = 0
          this.options.listener?.onLease?.('waiting')
          await this.#wait((this.#ttl_ms / 2) * (0.5 + this.#random.next()))
          continue
        }
        this.options.listener?.onLease?.('held')
        this.#position = lease.position
        await this.#follow(lease.epoch, () => (attempt = 0))
      } catch (error) {
        if (error instanceof LeaseLost) {
          this.options.listener?.onLease?.('lost')
          continue
        }
        attempt++
        this.#healthy = false
        this.options.listener?.onError?.({ error, position: this.#position, attempt, age_ms: this.#age_ms })
        // Commits ring meanwhile, and are no reason to knock sooner.
        await this.#clock.sleep(backoff_ms(attempt, this.#random), this.#stopping.signal).catch(() => undefined)
      }
    }
  }

  async #follow(epoch: bigint, onProgress: () => void): Promise<void> {
    const producer = await this.options.driver.producer()
    const advances = new Advances(this.#outbox, epoch, this.#clock)
    try {
      await this.#publish(producer, advances, onProgress)
    } finally {
      await advances.settle().catch(() => undefined)
      await producer.close().catch(() => undefined)
      if (this.#stopping.signal.aborted) await this.#outbox.release(epoch).catch(() => undefined)
    }
  }

  async #publish(producer: LogProducer, advances: Advances, onProgress: () => void): Promise<void> {
    let read = this.#position
    let renewAt = this.#clock.now() + this.#ttl_ms / 3
    // Taken before a page is read: what is committed after that rings after it.
    let rung = this.#wakeup.since()
    let page = await this.#read(read)
    while (!this.#stopping.signal.aborted) {
      advances.check()
      if (this.#clock.now() >= renewAt) {
        renewAt = this.#clock.now() + this.#ttl_ms / 3
        const lease = await this.#lease()
        if (lease?.epoch !== advances.epoch) throw new LeaseLost()
      }
      const last = page.at(-1)
      let next: Promise<readonly OutboxEntry[]> | undefined
      if (last) {
        read = last.position
        this.#age_ms = Math.max(0, this.#clock.now() - (page[0]?.time ?? 0))
        if (page.length >= this.#pageSize) {
          rung = this.#wakeup.since()
          next = this.#read(read)
          next.catch(() => undefined)
        }
        await this.#send(producer, page, last.position)
        advances.to(last.position)
      }
      if (!next) {
        this.#age_ms = 0
        this.#healthy = true
        onProgress()
        await this.#wait(Math.min(this.options.poll_ms ?? 1_000, this.#ttl_ms / 3), rung)
        rung = this.#wakeup.since()
        next = this.#read(read)
      }
      page = await next
      onProgress()
    }
  }

  async #send(producer: LogProducer, page: readonly OutboxEntry[], position: bigint): Promise<void> {
    const { sent, end } = publishing(this.options.tracing, page)
    const records = page.flatMap((entry) => this.#encode(entry, sent))
    try {
      if (records.length > 0) await producer.send(records)
      end()
    } catch (error) {
      end(error)
      throw error
    }
    this.#position = position
    this.#healthy = true
    const oldest = page.find(({ messages }) => messages.length > 0)
    if (oldest) this.options.listener?.onSent?.({ messages: records.length, delay_ms: this.#clock.now() - oldest.time, position })
  }

  #encode({ position, time, messages }: OutboxEntry, sent: Publishing['sent']): readonly LogRecord[] {
    const { incarnation } = this.#outbox
    return messages.map((message, ordinal) => encodeMessage(sent(message), this.options.app, time, { incarnation, position, ordinal }))
  }

  #read(after: bigint): Promise<readonly OutboxEntry[]> {
    return this.#outbox.after(after, this.#pageSize, this.options.driver.name)
  }

  #lease(): ReturnType<Outbox['lease']> {
    return this.#outbox.lease(this.#owner, this.#ttl_ms, this.options.driver.name)
  }

  async #wait(delay_ms: number, since = this.#wakeup.since()): Promise<void> {
    await this.#wakeup.wait(this.#clock, delay_ms, this.#stopping.signal, since)
  }

  get #pageSize(): number {
    return this.options.page ?? 500
  }

  get #ttl_ms(): number {
    return this.options.leaseTtl_ms ?? 10_000
  }
}

/** A move costs a commit; what is sent again after a crash for want of one is dropped by consumers. */
const ADVANCE_EVERY_MS = 50

/** Moves the outbox's position behind the acknowledgements, now and then, the newest only: it is a hint until the relay restarts. */
class Advances {
  #wanted: bigint | undefined
  #running: Promise<void> | undefined
  #failure: unknown
  readonly #settling = new AbortController()

  constructor(
    private readonly outbox: Outbox,
    readonly epoch: bigint,
    private readonly clock: Clock,
  ) {}

  to(position: bigint): void {
    this.#wanted = position
    this.#running ??= this.#run().finally(() => (this.#running = undefined))
  }

  /** Throws what an earlier move failed with. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  async settle(): Promise<void> {
    this.#settling.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#wanted !== undefined && this.#failure === undefined) {
      const position = this.#wanted
      this.#wanted = undefined
      try {
        if (!(await this.outbox.advance(this.epoch, position))) this.#failure = new LeaseLost()
        await this.clock.sleep(ADVANCE_EVERY_MS, this.#settling.signal).catch(() => undefined)
      } catch (error) {
        this.#failure = error
      }
    }
  }
}
