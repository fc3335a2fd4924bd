import { createHmac, timingSafeEqual } from 'node:crypto'

/** An older, or a newer, signature than this is a replay, or a clock gone wrong. */
export const SIGNATURE_WINDOW_MS = 5 * 60_000

const HEADER = /^t=([0-9]{1,12}),v1=([0-9a-f]{64})$/

/**
 * Whether `header` (`t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`) signs these very bytes, now. The time is part of what is signed, so
 * that nobody can make an old one young; compared in constant time.
 */
export const isSigned = (secret: string, body: Uint8Array, header: string | undefined, now: number): boolean => {
  const [, time, given] = HEADER.exec(header ?? '') ?? []
  if (time === undefined || given === undefined) return false
  if (Math.abs(now - Number(time) * 1_000) > SIGNATURE_WINDOW_MS) return false
  const wanted = createHmac('sha256', secret).update(`${time}.`).update(body).digest()
  return timingSafeEqual(wanted, Buffer.from(given, 'hex'))
}
