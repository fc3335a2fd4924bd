import type { Clock } from '#kernel'
import type { Metrics } from '#platform'
import type pg from 'pg'
import { TIMED_OUT_BY } from './alert-timeouts.js'

const WINDOW_MS = 7 * 86_400_000

// Ids of alerts are in order of time (UUIDv7), so the index on decision and id bounds what is read to a week.
const DECIDED = `
SELECT decision, count(*)::int AS alerts FROM alert
WHERE decision IN ('approve', 'decline') AND alert_id > $1::uuid AND decided_by <> $2 GROUP BY decision`

/**
 * What analysts made of the alerts of the last week: what they declined was found rightly (precision). What was approved by itself nobody
 * looks at, so what was missed (recall) is known only of those that a person saw.
 */
export const watchDecided = (metrics: Metrics, pool: pg.Pool, clock: Clock): void => {
  metrics.gauge(
    'fraud_alerts_decided_recent',
    'Alerts of the last 7 days by what an analyst decided; none that timed out.',
    ['decision'],
    async (gauge) => {
      const since = firstIdAt(clock.now() - WINDOW_MS)
      const { rows } = await pool.query<{ decision: string; alerts: number }>(DECIDED, [since, TIMED_OUT_BY]).catch(() => ({ rows: [] }))
      gauge.reset()
      for (const { decision, alerts } of rows) gauge.set({ decision }, alerts)
    },
  )
}

const firstIdAt = (at_ms: number): string => {
  const time = Math.max(0, at_ms).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}
