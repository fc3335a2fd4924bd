import { asMemory } from '#kernel/testing'
import type { HoldExpiries, HoldExpiry } from '../hold-expiries.js'

interface Timer {
  readonly expiry: HoldExpiry
  readonly dueAt_ms: number
  readonly claims: number
}

export const memoryHoldExpiries = (): HoldExpiries => {
  const timers = new Map<string, Timer>()
  const key = ({ walletId, holdId }: HoldExpiry) => `${walletId}/${holdId}`
  return {
    add: (expiry, tx) => {
      if (timers.has(key(expiry))) return Promise.reject(new Error('the hold has its timer'))
      asMemory(tx).onCommit(() => timers.set(key(expiry), { expiry, dueAt_ms: expiry.expiresAt_ms, claims: 0 }))
      return Promise.resolve()
    },
    claim: (now_ms, limit, { first_ms, most_ms }) => {
      const due = [...timers.values()]
        .filter(({ dueAt_ms }) => dueAt_ms <= now_ms)
        .sort((a, b) => a.dueAt_ms - b.dueAt_ms || (a.expiry.holdId < b.expiry.holdId ? -1 : 1))
        .slice(0, limit)
      for (const { expiry, claims } of due) {
        timers.set(key(expiry), { expiry, claims: claims + 1, dueAt_ms: now_ms + Math.min(most_ms, first_ms * 2 ** claims) })
      }
      return Promise.resolve(due.map(({ expiry }) => expiry))
    },
    remove: (expiries) => {
      for (const expiry of expiries) timers.delete(key(expiry))
      return Promise.resolve()
    },
  }
}
