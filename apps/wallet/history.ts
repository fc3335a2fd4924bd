import type { Events, RecordedEvent } from '#event-store'
import { paise, type Paise } from '#kernel'
import type { Hold } from '#wallet'
import { walletEvent } from './streams.js'
import type { ShownLoad } from './view.js'

/** A hold as the stream tells of it. `captured` is what was taken of one that was captured. */
export interface HoldFound {
  readonly hold: Hold
  readonly status: 'OPEN' | 'CAPTURED' | 'RELEASED'
  readonly captured?: Paise
}

/**
 * The first version recorded at `time_ms` or later; `version + 1` where there is none. Halves the stream: within one, times never go back. A
 * hundred thousand events take 17 reads of one.
 */
export const firstRecordedSince = async (
  events: Pick<Events, 'readStream'>,
  stream: string,
  version: number,
  time_ms: number,
): Promise<number> => {
  let [low, high] = [1, version + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    let recordedAt = Infinity
    for await (const recorded of events.readStream(stream, { from: middle, limit: 1 })) recordedAt = recorded.recordedAt
    if (recordedAt >= time_ms) high = middle
    else low = middle + 1
  }
  return low
}

/** What became of a hold, by the events that tell of it. */
export const holdInHistory = async (events: AsyncIterable<RecordedEvent>, holdId: string): Promise<HoldFound | undefined> => {
  let hold: Hold | undefined
  for await (const recorded of events) {
    const event = walletEvent(recorded)
    if (!('holdId' in event.data) || event.data.holdId !== holdId) continue
    if (event.type === 'FundsHeld') {
      const { amount, madeBy, reference, expiresAt_ms } = event.data
      hold = { holdId, amount: paise(amount), madeBy, reference, ...(expiresAt_ms === undefined ? {} : { expiresAt_ms }) }
    }
    if (hold && event.type === 'HoldCaptured') return { hold, status: 'CAPTURED', captured: paise(event.data.amount) }
    if (hold && event.type === 'HoldReleased') return { hold, status: 'RELEASED' }
  }
  return hold && { hold, status: 'OPEN' }
}

/** What became of a load, by the events that tell of it. */
export const loadInHistory = async (
  events: AsyncIterable<RecordedEvent>,
  walletId: string,
  loadId: string,
): Promise<ShownLoad | undefined> => {
  let load: ShownLoad | undefined
  for await (const recorded of events) {
    const event = walletEvent(recorded)
    if (!('loadId' in event.data) || event.data.loadId !== loadId) continue
    const updatedAt_ms = recorded.recordedAt
    if (event.type === 'LoadRequested') {
      const { amount, payment } = event.data
      const requested = { requestedAt_ms: updatedAt_ms, updatedAt_ms }
      load = { loadId, walletId, amount: paise(amount), payment, status: 'PENDING', ...requested }
    }
    if (load && event.type === 'LoadRedirected') load = { ...load, next: event.data.next, updatedAt_ms }
    if (load && event.type === 'LoadCredited') return { ...load, status: 'COMPLETED', updatedAt_ms }
    if (load && event.type === 'LoadFailed') return { ...load, status: 'FAILED', reason: event.data.reason, updatedAt_ms }
  }
  return load
}
