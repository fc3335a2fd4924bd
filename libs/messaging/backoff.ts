import type { Random } from '#kernel'

/** Exponential, capped, with full jitter over its upper half: `attempt` counts from 1. Milliseconds. */
export const backoff_ms = (attempt: number, random: Random, first_ms = 100, most_ms = 10_000): number => {
  const full_ms = Math.min(most_ms, first_ms * 2 ** Math.min(attempt - 1, 30))
  return Math.round(full_ms * (0.5 + random.next() / 2))
}
