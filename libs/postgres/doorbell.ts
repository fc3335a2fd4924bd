import { systemRandom, type Random } from '#kernel'
import pg from 'pg'
import { clientConfig, type PostgresConfig } from './pool.js'

const RECONNECT_FIRST_MS = 50
const RECONNECT_MOST_MS = 5_000

/**
 * Calls `ring` for each NOTIFY on `channel`, over a connection of its own. A lost connection is made again with backoff and jitter,
 * and rings once (without a payload) when it is back: something may have been missed. The caller polls slowly behind it all the same.
 */
export const listen = async (
  config: PostgresConfig,
  channel: string,
  ring: (payload?: string) => void,
  random: Random = systemRandom,
): Promise<{ close(): Promise<void> }> => {
  const options = clientConfig(config)
  let closed = false
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let pause_ms = RECONNECT_FIRST_MS

  const connect = async (): Promise<void> => {
    const next = new pg.Client(options)
    let lost = false
    const onLost = () => {
      if (lost) return
      lost = true
      void next.end().catch(() => undefined)
      if (closed) return
      timer = setTimeout(() => void connect().catch(() => undefined), pause_ms * (0.5 + random.next()))
      pause_ms = Math.min(pause_ms * 2, RECONNECT_MOST_MS)
    }
    next.on('error', onLost)
    next.on('end', onLost)
    next.on('notification', ({ payload }) => ring(payload))
    try {
      await next.connect()
      await next.query(`LISTEN ${pg.escapeIdentifier(channel)}`)
    } catch (error) {
      onLost()
      throw error
    }
    if (closed) return void next.end().catch(() => undefined)
    client = next
    pause_ms = RECONNECT_FIRST_MS
    ring()
  }

  await connect().catch(() => undefined)
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await client?.end().catch(() => undefined)
    },
  }
}
