/** India has one time zone and no summer time: UTC+5:30 all year (IST). */
const IST_OFFSET_MS = 19_800_000
const DAY_MS = 86_400_000

/** Days since 1970-01-01 as India counts them. */
export const istDay = (at_ms: number): number => Math.floor((at_ms + IST_OFFSET_MS) / DAY_MS)

/** Months since January of year 0, in IST. */
export const istMonth = (at_ms: number): number => {
  const there = new Date(at_ms + IST_OFFSET_MS)
  return there.getUTCFullYear() * 12 + there.getUTCMonth()
}

/** The financial year, April to March, that a month of `istMonth` lies in; named by the year it begins in. */
export const financialYear = (month: number): number => Math.floor((month - 3) / 12)

/** The IST day that a date as `2021-08-27` names. */
export const dayOfDate = (date: string): number => Math.floor(Date.parse(`${date}T00:00:00Z`) / DAY_MS)
