import type { Clock, Transaction } from '#kernel'
import {
  beginningOf,
  BrokenSettlementFile,
  daysAfter,
  indianDate,
  type SettlementAnswer,
  type SettlementFiles,
  type SettlementLine,
} from '#payment'
import { asPg } from '#postgres'
import type pg from 'pg'
import { Overtaken, RECONCILIATION, type Reconciliation } from './reconciliation.js'

/** How often days that are due are looked for, where nobody rings. */
const POLL_MS = 60_000
/** A provider closes a day some hours after it is over. */
const READY_AFTER_MS = 4 * 3_600_000
/** One run: asking, reading, comparing. A process that died in one is taken over after it. */
const RUN_TIMEOUT_MS = 180_000
const LEASE_MS = RUN_TIMEOUT_MS + 120_000
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 30 * 60_000
/** Some two days; then it waits for a person. */
const MOST_ATTEMPTS = 100
/** Days that are caught up with after an absence. */
const DAYS_BACK = 7

/** `claim` only grows: a run that another has overtaken finds it changed. */
const ASK = `
INSERT INTO reconciliations (date, status, requested_by, reason, requested_at, next_at) VALUES ($1, 'WAITING', $2, $3, $4, $5)
ON CONFLICT (date) DO UPDATE SET status = 'WAITING', requested_by = excluded.requested_by, reason = excluded.reason,
  requested_at = excluded.requested_at, next_at = excluded.next_at, failure = NULL, tries = 0, claim = reconciliations.claim + 1
RETURNING claim`

/** From the first day on at which money moved. */
const SCHEDULE = `
INSERT INTO reconciliations (date, status, requested_by, reason, requested_at, next_at)
SELECT date, 'WAITING', $2, 'the day is over', $3, $3 FROM unnest($1::date[]) AS date
WHERE date >= (SELECT min(at AT TIME ZONE 'Asia/Kolkata')::date FROM provider_movements)
ON CONFLICT DO NOTHING`

const CLAIM = `
UPDATE reconciliations SET tries = tries + 1, claim = claim + 1, next_at = $2 WHERE date = (
  SELECT date FROM reconciliations WHERE next_at <= $1 ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING date::text, tries, claim`

const LATER = `UPDATE reconciliations SET next_at = $3, failure = $4 WHERE date = $1 AND claim = $2`

const FAIL = `
UPDATE reconciliations SET status = 'FAILED', next_at = NULL, failure = $3, finished_at = $4 WHERE date = $1 AND claim = $2`

interface Claimed {
  readonly date: string
  readonly tries: number
  readonly claim: number
}

/** Why a day has no reconciliation, or not yet. `line` and `field` of a broken file. */
export interface ReconciliationFailure {
  readonly detail: string
  readonly line?: number
  readonly field?: string
}

export interface ReconcilerPorts {
  readonly pool: pg.Pool
  readonly clock: Clock
  readonly files: Pick<SettlementFiles, 'of'>
  readonly reconciliation: Pick<Reconciliation, 'run'>
  onError?(error: unknown): void
}

/** Reconciles each day once it is over, and when it is asked to: from rows, whichever process is up. */
export class Reconciler {
  readonly #end = new AbortController()
  #wake = new AbortController()
  #loop: Promise<void> | undefined

  constructor(private readonly ports: ReconcilerPorts) {}

  start(): void {
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#end.abort(new Error('stopped'))
    this.ring()
    await this.#loop
  }

  /** Something was asked for. */
  ring(): void {
    this.#wake.abort(new Error('rung'))
  }

  /** Has a day reconciled, again if it was: `by` and `reason` are kept with it. */
  async ask(date: string, by: string, reason: string, transaction: Transaction): Promise<void> {
    const now = new Date(this.ports.clock.now())
    await asPg(transaction).query(ASK, [date, by, reason, now, now])
  }

  /** The same by a file that somebody brought, at once. */
  async takeFile(date: string, by: string, reason: string, lines: AsyncIterable<SettlementLine>): Promise<void> {
    const { pool, clock } = this.ports
    const askedAt = clock.now()
    const { rows } = await pool.query<Pick<Claimed, 'claim'>>(ASK, [date, by, reason, new Date(askedAt), new Date(askedAt + LEASE_MS)])
    // A file that cannot be read to its end is not one to wait for.
    if (rows[0]) await this.#take({ date, tries: MOST_ATTEMPTS, ...rows[0] }, () => Promise.resolve({ known: 'file', lines }), askedAt)
  }

  /** Puts days that are over into the rows, and works on what is due, one day. Answers whether there was one. */
  async workDue(): Promise<boolean> {
    const { pool, clock } = this.ports
    await this.#schedule()
    const now = clock.now()
    const { rows } = await pool.query<Claimed>(CLAIM, [new Date(now), new Date(now + LEASE_MS)])
    const [claimed] = rows
    if (!claimed) return false
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(RUN_TIMEOUT_MS)])
    await this.#take(claimed, () => this.ports.files.of(claimed.date, signal), now)
    return true
  }

  async #schedule(): Promise<void> {
    const { pool, clock } = this.ports
    const now = clock.now()
    const last = daysAfter(indianDate(now - READY_AFTER_MS), -1)
    const days = Array.from({ length: DAYS_BACK }, (_, back) => daysAfter(last, -back))
    await pool.query({ name: 'reconciliation-schedule', text: SCHEDULE, values: [days, RECONCILIATION, new Date(now)] })
  }

  async #take(claimed: Claimed, file: () => Promise<SettlementAnswer>, askedAt: number): Promise<void> {
    const { reconciliation, onError } = this.ports
    try {
      const answer = await file()
      if (answer.known === 'file') await reconciliation.run(claimed.date, claimed.claim, askedAt, answer.lines)
      else await this.#later(claimed, answer.known === 'not-yet' ? 'the provider has no file of this day yet' : answer.detail)
    } catch (error) {
      if (error instanceof Overtaken) return
      if (error instanceof BrokenSettlementFile) {
        const { line, field, rule } = error
        return this.#fail(claimed, { detail: rule, line, field })
      }
      onError?.(error)
      await this.#later(claimed, 'the file could not be read to its end')
    }
  }

  async #later(claimed: Claimed, detail: string): Promise<void> {
    if (claimed.tries >= MOST_ATTEMPTS) return this.#fail(claimed, { detail })
    const now = this.ports.clock.now()
    // Before the day is closed nobody need ask often.
    const closed = beginningOf(daysAfter(claimed.date, 1)) + READY_AFTER_MS
    const pause_ms = Math.min(FIRST_PAUSE_MS * 2 ** (claimed.tries - 1), LONGEST_PAUSE_MS)
    const at = new Date(Math.max(now + pause_ms, Math.min(closed, now + LONGEST_PAUSE_MS)))
    await this.ports.pool.query(LATER, [claimed.date, claimed.claim, at, JSON.stringify({ detail } satisfies ReconciliationFailure)])
  }

  async #fail({ date, claim }: Claimed, failure: ReconciliationFailure): Promise<void> {
    await this.ports.pool.query(FAIL, [date, claim, JSON.stringify(failure), new Date(this.ports.clock.now())])
  }

  async #run(): Promise<void> {
    const { clock, onError } = this.ports
    const { signal } = this.#end
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const worked = await this.workDue().catch((error: unknown) => (onError?.(error), false))
      if (!worked && !signal.aborted) await clock.sleep(POLL_MS, this.#wake.signal).catch(() => undefined)
    }
  }
}
