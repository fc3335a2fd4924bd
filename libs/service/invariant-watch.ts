import type { Clock } from '#kernel'
import { lookedAtOnce, type Metrics } from '#platform'
import type { Migration } from '#postgres'
import type pg from 'pg'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import type { Invariant } from './invariants.js'
import type { Worker } from './lifecycle.js'

class CreateInvariantChecks1767225600900 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE invariant_checks (
      name text PRIMARY KEY,
      next_at timestamptz NOT NULL,
      violations int,
      checked_at timestamptz
    )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE invariant_checks')
  }
}

/** Since when it was to be checked: one whose check never succeeded has no other age. */
class AgeUncheckedInvariants1767225600910 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE invariant_checks ADD COLUMN since timestamptz NOT NULL DEFAULT now()')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE invariant_checks DROP COLUMN since')
  }
}

export const invariantMigrations: readonly Migration[] = [CreateInvariantChecks1767225600900, AgeUncheckedInvariants1767225600910]

export interface InvariantWatchOptions {
  readonly pool: pg.Pool
  readonly invariants: readonly Invariant[]
  readonly clock: Clock
  /** Between two checks of one invariant, by all replicas together; a minute. */
  readonly every_ms?: number
  onError(error: unknown, during: string): void
}

// The row is the lease: whoever moves `next_at` checks, once for all replicas, and one that dies is followed by another when it has passed.
const CLAIM = `
INSERT INTO invariant_checks AS kept (name, next_at) VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond')
ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at WHERE kept.next_at <= clock_timestamp()
RETURNING name`

const TELL = 'UPDATE invariant_checks SET violations = $2, checked_at = clock_timestamp() WHERE name = $1'

const TOLD = `
SELECT name, violations, extract(epoch FROM clock_timestamp() - coalesce(checked_at, since))::float8 AS age_s FROM invariant_checks
WHERE name = ANY ($1::text[])`

export interface ToldInvariant {
  readonly name: string
  /** Null: no check of it has succeeded. */
  readonly violations: number | null
  /** Since the last check that succeeded, or since the first was due. */
  readonly age_s: number
}

/** Checks an app's invariants now and then, once for all of its replicas, and keeps what came of it where each replica's metrics find it. */
export class InvariantWatch implements Worker {
  readonly #end = new AbortController()
  #loop: Promise<void> | undefined

  constructor(private readonly options: InvariantWatchOptions) {}

  start(): void {
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#end.abort(new Error('stopped'))
    await this.#loop
  }

  /** Checks those that are due and that no other replica has taken. Answers how many it checked. */
  async checkDue(): Promise<number> {
    const { pool, invariants, every_ms = 60_000, onError } = this.options
    let checked = 0
    for (const { name, violations } of invariants) {
      try {
        const { rowCount } = await pool.query(CLAIM, [name, every_ms])
        if (!rowCount) continue
        await pool.query(TELL, [name, (await violations(pool)).length])
        checked++
      } catch (error) {
        // What was told before, or that nothing was, grows old, which is an alert of its own.
        onError(error, 'invariants')
      }
    }
    return checked
  }

  /** What the last checks came to, whichever replica made them. */
  async told(): Promise<readonly ToldInvariant[]> {
    const names = this.options.invariants.map(({ name }) => name)
    return (await this.options.pool.query<ToldInvariant>(TOLD, [names])).rows
  }

  async #run(): Promise<void> {
    const { clock, every_ms = 60_000 } = this.options
    const { signal } = this.#end
    while (!signal.aborted) {
      await this.checkDue()
      await clock.sleep(every_ms / 4, signal).catch(() => undefined)
    }
  }
}

/** As metrics. */
export const showInvariants = (metrics: Metrics, watch: InvariantWatch): void => {
  const told = lookedAtOnce(() => watch.told())
  metrics.gauge(
    'invariant_violations',
    'What breaks an invariant, at the last check; at most 100 are counted. Must be 0.',
    ['invariant'],
    async (gauge) => {
      const each = await told()
      gauge.reset()
      for (const { name, violations } of each) if (violations !== null) gauge.set({ invariant: name }, violations)
    },
  )
  metrics.gauge(
    'invariant_check_age_seconds',
    'How long ago an invariant was checked last, or was to be for the first time.',
    ['invariant'],
    async (gauge) => {
      gauge.reset()
      for (const { name, age_s } of await told()) gauge.set({ invariant: name }, age_s)
    },
  )
}
