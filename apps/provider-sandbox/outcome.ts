import { createHash } from 'node:crypto'

export type Method = 'upi' | 'card' | 'netbanking'

/**
 * What becomes of a payment, chosen by its instrument.
 * - `paid`: at once. `slow`: after 2 to 5 seconds. `late`: some seconds after the UPI window closed.
 * - `lost`: it takes effect, and the caller is not told: no answer, and the webhook only much later.
 * - `asked`: pending until its payer pays or declines at the sandbox's page; after the UPI window it is declined.
 * - `declined`: refused by the bank. `timeout`: no answer, and nothing happens.
 */
export type Outcome = 'paid' | 'asked' | 'slow' | 'late' | 'lost' | 'declined' | 'timeout'

/** Every instrument that it knows. */
export const OUTCOMES: Readonly<Record<Method, Readonly<Record<string, Outcome>>>> = {
  upi: {
    'success@upi': 'paid',
    'slow@upi': 'slow',
    'lost@upi': 'lost',
    'decline@upi': 'declined',
    'timeout@upi': 'timeout',
    'late@upi': 'late',
    'intent@upi': 'asked',
  },
  card: { tok_success: 'paid', tok_lost: 'lost', tok_decline: 'declined', tok_timeout: 'timeout' },
  netbanking: { SBOX_SUCCESS: 'paid', SBOX_DECLINE: 'declined', SBOX_REDIRECT: 'asked' },
}

/** An instrument that the sandbox does not know has no outcome: it is declined, `unknown-instrument`. */
export const outcomeOf = (method: Method, instrument: string): Outcome | undefined =>
  Object.hasOwn(OUTCOMES[method], instrument) ? OUTCOMES[method][instrument] : undefined

/**
 * Chance that a seed and a name decide between them, uniform in [0, 1): the same payment has the same luck in every run and after every
 * restart, whatever else runs beside it.
 */
export const chance = (seed: number, ...names: readonly string[]): number =>
  createHash('sha256')
    .update([seed, ...names].join('\u0000'))
    .digest()
    .readUInt32BE(0) / 4294967296

/** How long until a pending payment is paid, or its payer is asked no more, milliseconds; 0 where it is not pending. */
export const delayOf_ms = (outcome: Outcome | undefined, luck: number, upiWindow_seconds: number): number => {
  const window_ms = upiWindow_seconds * 1_000
  const some_ms = 2_000 + Math.floor(luck * 3_000)
  return outcome === 'slow' ? some_ms : outcome === 'late' ? window_ms + some_ms : outcome === 'asked' ? window_ms : 0
}
