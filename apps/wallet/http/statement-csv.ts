import type { StatementEntry } from '#wallet'

/** Whether `Accept` prefers CSV: it names text/csv and not JSON. */
export const wantsCsv = (accept: string | undefined): boolean =>
  accept !== undefined && /\btext\/csv\b/i.test(accept) && !/\bapplication\/json\b/i.test(accept)

/** RFC 4180, amounts in paise. A reference that a spreadsheet would take for a formula gets an apostrophe before it. */
export async function* csvLines(entries: AsyncIterable<StatementEntry>): AsyncGenerator<string> {
  yield 'entryId,at,type,amount,balance,reference\r\n'
  for await (const { entryId, at_ms, type, amount, balance, reference } of entries) {
    yield `${entryId},${new Date(at_ms).toISOString()},${type},${amount},${balance},${quoted(reference)}\r\n`
  }
}

const quoted = (text: string): string => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
