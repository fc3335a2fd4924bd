import { createHash } from 'node:crypto'
import type { StoredRecord } from '../log.js'

/**
 * A dead letter's id: the same for the same record in the same group, as a UUID of version 8 (RFC 9562), of SHA-256. The record's time is in
 * it because a log that was made anew counts its offsets anew.
 */
export const letterId = (group: string, { topic, partition, offset, timestamp_ms }: StoredRecord): string => {
  const hash = createHash('sha256')
    .update(JSON.stringify([group, topic, partition, String(offset), timestamp_ms]))
    .digest('hex')
  const variant = ((Number.parseInt(hash.slice(16, 17), 16) & 3) | 8).toString(16)
  return [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`, `${variant}${hash.slice(17, 20)}`, hash.slice(20, 32)].join('-')
}
