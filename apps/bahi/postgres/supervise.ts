import { setTimeout as sleep } from 'node:timers/promises'
import { checkedConnection } from '#postgres'
import pg from 'pg'
import type { RunningPostgres } from './server.js'

export interface SupervisedPostgres {
  readonly url: string
  /** Starts the server again on the same port where it is gone; leaves it as it is where it runs. */
  ensure(): Promise<RunningPostgres>
  /** A server that was gone runs again. */
  onRestarted(after_ms: number): void
  /** It could not be started again `ATTEMPTS` times in a row; nothing is tried any more. */
  onGivenUp(error: unknown): void
}

const ATTEMPTS = 12
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
const CONNECT_TIMEOUT_MS = 2_000

/**
 * Keeps one connection to the server. When that ends the server may have ended too (killed, out of memory) and is made to run again: whoever
 * started it in the background must also look after it. Meanwhile requests are answered 503; pools and relays connect again by themselves.
 */
export const supervisePostgres = ({ url, ensure, onRestarted, onGivenUp }: SupervisedPostgres): { stop(): Promise<void> } => {
  const stopping = new AbortController()
  const { signal } = stopping

  const restart = async (): Promise<boolean> => {
    const began = performance.now()
    let pause_ms = FIRST_PAUSE_MS
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const { how } = await ensure()
        if (how === 'started') onRestarted(performance.now() - began)
        return true
      } catch (error) {
        // Right after a kill the orphans of the old server still hold its shared memory: PostgreSQL refuses until they are gone.
        if (attempt === ATTEMPTS) {
          onGivenUp(error)
          return false
        }
        await sleep(pause_ms * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
        pause_ms = Math.min(pause_ms * 2, LONGEST_PAUSE_MS)
      }
    }
    return false
  }

  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      await connectionLost(url, signal)
      if (signal.aborted || !(await restart())) return
      await sleep(FIRST_PAUSE_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  const watching = watch()
  return {
    async stop() {
      stopping.abort()
      await watching
    },
  }
}

/** Resolves when a connection to the server ends or cannot be made, or at the signal. */
const connectionLost = (url: string, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const client = new pg.Client({
      ...checkedConnection(url),
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'supervisor',
    })
    const lost = (): void => {
      signal.removeEventListener('abort', lost)
      void client.end().catch(() => undefined)
      resolve()
    }
    signal.addEventListener('abort', lost)
    client.on('error', lost)
    client.on('end', lost)
    client.connect().catch(lost)
  })
