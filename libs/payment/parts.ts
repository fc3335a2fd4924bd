import { add, subtract, ZERO, type Paise } from '#kernel'

/** Where an order's money comes from, and goes back to: paise of each. */
export interface Parts {
  readonly wallet: Paise
  readonly provider: Paise
  /** Taken at the door. */
  readonly cash: Paise
}

export const NO_PARTS: Parts = { wallet: ZERO, provider: ZERO, cash: ZERO }

export const sumOf = ({ wallet, provider, cash }: Parts): Paise => add(wallet, provider, cash)

export const addParts = (...parts: readonly Parts[]): Parts =>
  parts.reduce(
    (sum, each) => ({
      wallet: add(sum.wallet, each.wallet),
      provider: add(sum.provider, each.provider),
      cash: add(sum.cash, each.cash),
    }),
    NO_PARTS,
  )

/** Per part, and never below nothing. */
export const leftOf = (whole: Parts, gone: Parts): Parts => ({
  wallet: more(subtract(whole.wallet, gone.wallet)),
  provider: more(subtract(whole.provider, gone.provider)),
  cash: more(subtract(whole.cash, gone.cash)),
})

/**
 * An amount given back out of what is left of each part: first to where it came from outside, for a customer's bank is what they miss it in,
 * then to the wallet. At most all that is left.
 */
export const giveBack = (left: Parts, amount: Paise): Parts => {
  const provider = least(left.provider, amount)
  const wallet = least(left.wallet, subtract(amount, provider))
  const cash = least(left.cash, subtract(amount, add(provider, wallet)))
  return { wallet, provider, cash }
}

const least = (one: Paise, other: Paise): Paise => (one < other ? one : other)

const more = (amount: Paise): Paise => (amount > ZERO ? amount : ZERO)
