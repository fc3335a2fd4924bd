import type { HoldExpiries, HoldExpiry } from '../hold-expiries.js'

export const memoryHoldExpiries = (): HoldExpiries => {
  const timers = new Map<string, HoldExpiry>()
  const key = ({ walletId, holdId }: HoldExpiry) => `${walletId}/${holdId}`
  return {
    add: (expiry) => {
      if (!timers.has(key(expiry))) timers.set(key(expiry), expiry)
      return Promise.resolve()
    },
    due: (now_ms, limit) =>
      Promise.resolve(
        [...timers.values()]
          .filter(({ expiresAt_ms }) => expiresAt_ms <= now_ms)
          .sort((a, b) => a.expiresAt_ms - b.expiresAt_ms)
          .slice(0, limit),
      ),
    remove: (expiries) => {
      for (const expiry of expiries) timers.delete(key(expiry))
      return Promise.resolve()
    },
  }
}
