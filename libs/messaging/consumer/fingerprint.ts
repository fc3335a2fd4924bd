import { createHash } from 'node:crypto'
import type { StoredRecord } from '../log.js'

/**
 * Tells a record from any other that a log made anew, or restored and written to again, has at its offset: also from the same message sent
 * again, because what lies before it may be another then. Logs keep a record's time, key, headers and value as they are. `<offset>/<128 bits of
 * SHA-256>`.
 */
export const fingerprintOf = ({ offset, timestamp_ms, key, headers, value }: StoredRecord): string => {
  const hash = createHash('sha256')
    .update(JSON.stringify([timestamp_ms, key, headers['ce_source'], headers['ce_id']]))
    .update(value)
  return `${offset}/${hash.digest('hex').slice(0, 32)}`
}

/** Whether it is of the record at `offset`: a process of an older version moves the place on and leaves the fingerprint behind. */
export const isFingerprintAt = (offset: bigint, fingerprint: string | undefined): boolean => fingerprint?.startsWith(`${offset}/`) ?? false
