import { setTimeout as wait } from 'node:timers/promises'
import { encodeMessage, type LogDriver, type LogRecord } from '#messaging'
import type { Acknowledged } from './messaging-audit.js'

const KEYS = 40
const BATCH = 25
const PAUSE_MS = 5
const RETRY_MS = 50
const GIVE_UP_MS = 60_000

export interface Load {
  readonly acknowledged: readonly Acknowledged[]
  /** Sends of which it was not known whether they took place, and that were made again. */
  readonly refused: number
  /** Sends no more; rejects where a send failed for too long. */
  end(): Promise<void>
}

/** Sends as a relay does: the same again until it is acknowledged, and nothing overtakes it. Rests for `pause_ms` between two batches. */
export const beginLoad = (driver: LogDriver, topic: string, random: () => number, pause_ms = PAUSE_MS): Load => {
  const acknowledged: Acknowledged[] = []
  let [sending, position, refused] = [true, 0n, 0]
  const record = (key: string, seq: number): LogRecord =>
    encodeMessage(
      { topic, key, type: 'Told', schemaVersion: 1, data: { seq }, context: { correlationId: key, causationId: 'chaos' } },
      'chaos',
      Date.now(),
      { incarnation: 'one', position: ++position, ordinal: 0 },
    )
  const send = async (): Promise<void> => {
    const producer = await driver.producer()
    const last = new Map<string, number>()
    while (sending) {
      const batch = Array.from({ length: BATCH }, () => {
        const key = `key-${Math.floor(random() * KEYS)}`
        const seq = (last.get(key) ?? 0) + 1
        last.set(key, seq)
        return { key, seq, record: record(key, seq) }
      })
      const until = Date.now() + GIVE_UP_MS
      for (;;) {
        try {
          await producer.send(batch.map((each) => each.record))
          break
        } catch (error) {
          refused++
          if (Date.now() > until) throw error
          await wait(RETRY_MS)
        }
      }
      acknowledged.push(...batch.map(({ key, seq }) => ({ key, seq })))
      await wait(pause_ms)
    }
  }
  const sent = send()
  sent.catch(() => undefined)
  return {
    acknowledged,
    get refused() {
      return refused
    },
    end() {
      sending = false
      return sent
    },
  }
}
