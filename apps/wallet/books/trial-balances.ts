import type { Events } from '#event-store'
import type { Clock } from '#kernel'
import { Problem } from '#platform'
import { book, NO_BOOKS, walletStream, type Books } from '#wallet'
import { walletEvent } from '../streams.js'

/** The books as they stood after the event at `position`. */
export interface Folded {
  readonly position: bigint
  readonly countedEvents: number
  readonly books: Books
}

/** How far the books were folded, durable, so that nobody folds the same events again. One for all processes. */
export interface FoldedBooks {
  read(): Promise<Folded | undefined>
  /** What is not further than what is kept has no effect. */
  keep(folded: Folded): Promise<void>
}

/** Events between two looks at the clock, and at least between two checkpoints. */
const STRIDE = 10_000
/** A caller waits no longer than this; how far it came is kept. */
const PATIENCE_MS = 2_000

/**
 * The trial balance: every account's sum over every event of every wallet. System accounts are no streams (one would be hotter than any
 * wallet), so they are folded from the wallets' events, from where they were folded last, when somebody asks.
 */
export class TrialBalances {
  constructor(
    private readonly events: Pick<Events, 'readAll'>,
    private readonly kept: FoldedBooks,
    private readonly clock: Clock,
  ) {}

  /** With every event that was committed when it was asked. Rejects with a 503 problem where more happened since the last time than fits the wait. */
  async now(): Promise<Folded> {
    const until_ms = this.clock.now() + PATIENCE_MS
    let folded = (await this.kept.read()) ?? { position: 0n, countedEvents: 0, books: NO_BOOKS }
    const begun = folded.position
    for await (const recorded of this.events.readAll({ after: begun, category: walletStream.category })) {
      folded = {
        position: recorded.position,
        countedEvents: folded.countedEvents + 1,
        books: book(folded.books, walletEvent(recorded)),
      }
      if (folded.countedEvents % STRIDE !== 0) continue
      await this.kept.keep(folded)
      if (this.clock.now() >= until_ms) throw stillFolding()
    }
    if (folded.position > begun) await this.kept.keep(folded)
    return folded
  }
}

const stillFolding = (): Problem =>
  new Problem(503, 'still-folding', 'Many events were not counted yet. Ask again: counting goes on from where it is.', {
    headers: { 'retry-after': '1' },
  })
