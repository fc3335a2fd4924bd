/** India has one time zone and no summer time: UTC+5:30 all year (IST). */
const IST_OFFSET_MS = 19_800_000
const DAY_MS = 86_400_000

/** The day that a moment (milliseconds since the epoch) lies in, by India's calendar: `2025-09-22`. */
export const indianDate = (at_ms: number): string => new Date(at_ms + IST_OFFSET_MS).toISOString().slice(0, 10)

/** When a day of India's calendar begins, milliseconds since the epoch. */
export const beginningOf = (date: string): number => Date.parse(`${date}T00:00:00+05:30`)

/** The day so many days later. */
export const daysAfter = (date: string, days: number): string => indianDate(beginningOf(date) + days * DAY_MS)

/** Banks are shut on Sundays and on the second and fourth Saturday of a month (RBI, since 2015-09-01). Their holidays are not known here. */
const isWorkingDay = (date: string): boolean => {
  const at = new Date(`${date}T00:00:00Z`)
  const nth = Math.ceil(at.getUTCDate() / 7)
  return at.getUTCDay() !== 0 && !(at.getUTCDay() === 6 && (nth === 2 || nth === 4))
}

/** The working day so many after a day of India's calendar. */
export const workingDaysAfter = (date: string, days: number): string => {
  let after = date
  for (let left = days; left > 0;) {
    after = daysAfter(after, 1)
    if (isWorkingDay(after)) left--
  }
  return after
}

/** The last day from which so many working days have passed by the end of a day. */
export const workingDaysBefore = (date: string, days: number): string => {
  let before = date
  while (workingDaysAfter(before, days) > date) before = daysAfter(before, -1)
  return before
}

/** Whether it is a day that the calendar has: `2026-02-30` is none. */
export const isDate = (text: string): boolean => {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false
  const begins = beginningOf(text)
  return !Number.isNaN(begins) && indianDate(begins) === text
}
