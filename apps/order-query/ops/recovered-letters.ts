import type { Clock } from '#kernel'
import { RECOVERED_KEPT_MS } from '#messaging'
import type { Worker } from '#service'
import type pg from 'pg'

const EVERY_MS = 3_600_000
const AT_ONCE = 1_000

export interface RecoveredLettersOptions {
  readonly pool: pg.Pool
  readonly clock: Clock
  onError(error: unknown, during: string): void
}

// By what happened last to a letter, which may have been parked long before. Several replicas may do this at once.
const FORGET = `
WITH gone AS (
  DELETE FROM dead_letters WHERE id IN (
    SELECT id FROM dead_letters letter WHERE status = 'RECOVERED' AND parked_at < $1
      AND NOT EXISTS (SELECT FROM dead_letter_history h WHERE h.id = letter.id AND h.at >= $1)
    ORDER BY parked_at LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED
  ) RETURNING id
), histories AS (DELETE FROM dead_letter_history WHERE id IN (SELECT id FROM gone))
SELECT count(*)::int AS forgotten FROM gone`

/** Forgets dead letters, with their history, as long after they recovered as the apps do that parked them. Who asked for redrives is kept. */
export class RecoveredLetters implements Worker {
  readonly #end = new AbortController()
  #loop: Promise<void> | undefined

  constructor(private readonly options: RecoveredLettersOptions) {}

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#end.abort(new Error('stopped'))
    await this.#loop
  }

  /** At most 1,000. Answers how many. */
  async forget(): Promise<number> {
    const { pool, clock } = this.options
    const { rows } = await pool.query<{ forgotten: number }>(FORGET, [new Date(clock.now() - RECOVERED_KEPT_MS)])
    return rows[0]?.forgotten ?? 0
  }

  async #run(): Promise<void> {
    const { clock, onError } = this.options
    const { signal } = this.#end
    while (!signal.aborted) {
      const forgotten = await this.forget().catch((error: unknown) => (onError(error, 'recovered dead letters'), 0))
      if (forgotten < AT_ONCE) await clock.sleep(EVERY_MS, signal).catch(() => undefined)
    }
  }
}
