import type { Clock } from '#kernel'
import type { Metrics } from '#platform'
import type pg from 'pg'
import { LABEL_WITHIN_MS } from './alert-store.js'
import { TIMED_OUT_BY } from './alert-timeouts.js'

// Ids of alerts are in order of time (UUIDv7), so what is read is bounded to a week.
const DECIDED = `
SELECT decision AS kind, count(*)::float8 AS value FROM alert
WHERE share IS NULL AND decision IN ('approve', 'decline') AND alert_id > $1::uuid AND decided_by <> $2 GROUP BY decision`

const SAMPLED = `
SELECT coalesce(decision, 'none') AS kind, sum(1 / share) AS value FROM alert
WHERE share IS NOT NULL AND alert_id > $1::uuid GROUP BY decision`

/**
 * What analysts made of the alerts and the samples of the last week. Of what they saw before it was paid, what they declined was found rightly
 * (precision); of what approved itself, the samples that they call fraud stand for what was missed (recall). What scoring declined by itself
 * nobody labels: it is in neither.
 */
export const watchDecided = (metrics: Metrics, pool: pg.Pool, clock: Clock): void => {
  const since = () => firstIdAt(clock.now() - LABEL_WITHIN_MS)
  metrics.gauge(
    'fraud_alerts_decided_recent',
    'Alerts of the last 7 days by what an analyst decided; none that timed out.',
    ['decision'],
    async (gauge) => {
      const decided = await valuesOf(pool, DECIDED, [since(), TIMED_OUT_BY])
      gauge.reset()
      for (const decision of ['approve', 'decline']) gauge.set({ decision }, decided.get(decision) ?? 0)
    },
  )
  metrics.gauge(
    'fraud_samples_recent',
    'Orders approved by scoring alone that the samples of the last 7 days stand for, 1/share each, by the label that an analyst gave.',
    ['label'],
    async (gauge) => {
      const sampled = await valuesOf(pool, SAMPLED, [since()])
      gauge.reset()
      for (const label of ['approve', 'decline', 'none']) gauge.set({ label }, sampled.get(label) ?? 0)
    },
  )
}

const valuesOf = async (pool: pg.Pool, text: string, values: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await pool.query<{ kind: string; value: number }>(text, [...values])
  return new Map(rows.map(({ kind, value }) => [kind, value]))
}

const firstIdAt = (at_ms: number): string => {
  const time = Math.max(0, at_ms).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}
