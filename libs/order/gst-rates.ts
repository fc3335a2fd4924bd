/** The GST rates in force from a day on, until the next row's day. Changed by adding a row. */
export interface GstRateRow {
  /** The first day, by India's calendar: `2025-09-22`. */
  readonly effectiveFrom: string
  /** Whole percents, CGST and SGST together. */
  readonly rates: readonly number[]
  readonly source: string
}

export const GST_RATES: readonly GstRateRow[] = [
  {
    effectiveFrom: '2017-07-01',
    rates: [0, 5, 12, 18, 28],
    source: 'Notification No. 1/2017-Central Tax (Rate), 2017-06-28',
  },
  {
    effectiveFrom: '2025-09-22',
    rates: [0, 5, 18, 40],
    source: '56th GST Council, 2025-09-03; Notification No. 9/2025-Central Tax (Rate), 2025-09-17',
  },
]

/** The rates valid at a moment (milliseconds since the epoch); none before the first row. A day begins at midnight in India. */
export const gstRatesAt = (at_ms: number, rows: readonly GstRateRow[] = GST_RATES): readonly number[] => {
  let valid: { from_ms: number; rates: readonly number[] } | undefined
  for (const row of rows) {
    const from_ms = Date.parse(`${row.effectiveFrom}T00:00:00+05:30`)
    if (from_ms <= at_ms && (valid === undefined || from_ms > valid.from_ms)) valid = { from_ms, rates: row.rates }
  }
  return valid?.rates ?? []
}

export const isGstRateValid = (rate: number, at_ms: number, rows: readonly GstRateRow[] = GST_RATES): boolean =>
  gstRatesAt(at_ms, rows).includes(rate)
