const SEED = 0x9747b28c
const M = 0x5bd1e995
const encoder = new TextEncoder()

/** The partition of a key: murmur2 as Kafka's own clients have it (`Utils.murmur2`, seed 0x9747b28c), so that a key keeps its place in both logs. */
export const partitionOf = (key: string, partitions: number): number => (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions

export const murmur2 = (data: Uint8Array): number => {
  const { length } = data
  const byte = (index: number): number => data[index] ?? 0
  let hash = SEED ^ length
  const whole = length - (length % 4)
  for (let at = 0; at < whole; at += 4) {
    let k = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(k, M)
  }
  const rest = length % 4
  if (rest === 3) hash ^= byte(whole + 2) << 16
  if (rest >= 2) hash ^= byte(whole + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ byte(whole), M)
  hash ^= hash >>> 13
  hash = Math.imul(hash, M)
  return hash ^ (hash >>> 15)
}
