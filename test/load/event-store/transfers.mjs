// What transfers between many wallets have in common, by whatever way they come: every limit asked and none met, and who pays whom.

const RULES = ['balance', 'loads-per-month', 'loads-per-year', 'transfers-to-beneficiary-per-month', 'transfers-to-others-per-month']

export const highLimits = [...RULES, 'transfers-per-day', 'transfers-in-first-24-hours', 'cash-out-at-once', 'cash-out-per-month'].map(
  (rule) => ({
    kyc: 'full',
    rule,
    from: '2021-08-27',
    max: '1000000000000000',
    source: 'load',
  }),
)

/** Two different wallets of those there are, by the name that `load` gives a stream. */
export const pairOf = (stream, wallets) => {
  const [client, count] = stream.split('-').map(Number)
  const from = (count * 13 + client) % wallets
  return [from, (from + 1 + ((count * 7 + client * 3) % (wallets - 1))) % wallets]
}
