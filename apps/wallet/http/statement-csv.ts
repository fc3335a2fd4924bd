import type { StatementEntry } from '#wallet'

/** Whether `Accept` prefers CSV: it names text/csv and not JSON. */
export const wantsCsv = (accept: string | undefined): boolean =>
  accept !== undefined && /\btext\/csv\b/i.test(accept) && !/\bapplication\/json\b/i.test(accept)

/**
 * RFC 4180, amounts in paise. A reference that a spreadsheet would take for a formula gets an apostrophe before it. Rejects where nothing can be read:
 * once the first line is sent, no status can follow.
 */
export const csvLines = async (entries: AsyncIterable<StatementEntry>): Promise<AsyncIterable<string>> => {
  const rest = entries[Symbol.asyncIterator]()
  return lines(await rest.next(), rest)
}

async function* lines(first: IteratorResult<StatementEntry>, rest: AsyncIterator<StatementEntry>): AsyncGenerator<string> {
  try {
    yield 'entryId,at,type,amount,balance,reference\r\n'
    for (let next = first; !next.done; next = await rest.next()) {
      const { entryId, at_ms, type, amount, balance, reference } = next.value
      yield `${entryId},${new Date(at_ms).toISOString()},${type},${amount},${balance},${quoted(reference)}\r\n`
    }
  } finally {
    await rest.return?.()
  }
}

const quoted = (text: string): string => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
