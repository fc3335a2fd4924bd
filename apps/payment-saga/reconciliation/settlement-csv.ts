import { MAX_PAISE, paise, ZERO, type Paise } from '#kernel'
import { BrokenSettlementFile, indianDate, type MovementKind, type SettlementLine } from '#payment'
import { CsvError, parse } from 'csv-parse'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Beyond any of these a file is none of a day's. */
export interface SettlementCsvBounds {
  readonly bytes: number
  readonly lines: number
  /** Characters of one line. */
  readonly lineLength: number
}

export const SETTLEMENT_CSV_BOUNDS: SettlementCsvBounds = { bytes: 64 * 1024 * 1024, lines: 200_000, lineLength: 4_096 }

const COLUMNS = ['entry_id', 'type', 'payment_id', 'reference', 'amount', 'fee', 'tax', 'currency', 'at'] as const
type Column = (typeof COLUMNS)[number]
type Row = Readonly<Record<Column, string>>

const KINDS: Readonly<Record<string, MovementKind>> = { payment: 'capture', refund: 'refund', adjustment: 'adjustment' }
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/

/**
 * The lines of a day's settlement file: CSV (RFC 4180, UTF-8) whose first line names its columns, in any order; others than ours are passed
 * over. Read as it comes, within bounds. Throws `BrokenSettlementFile` with the line and the column; what was in it is not said.
 */
export async function* parseSettlementCsv(
  content: AsyncIterable<Uint8Array>,
  date: string,
  bounds: SettlementCsvBounds = SETTLEMENT_CSV_BOUNDS,
): AsyncGenerator<SettlementLine> {
  let named = false
  const parser = parse({
    bom: true,
    columns: (header: readonly string[]) => {
      named = true
      return columnsOf(header)
    },
    info: true,
    max_record_size: bounds.lineLength,
    skip_empty_lines: true,
  })
  let end: unknown
  const fed = pipeline(Readable.from(bounded(content, bounds.bytes), { objectMode: false }), parser).catch(
    (error: unknown) => (end = error),
  )
  const seen = new Set<string>()
  try {
    let count = 0
    for await (const { record, info } of parser as AsyncIterable<{ readonly record: Row; readonly info: { readonly lines: number } }>) {
      if (++count > bounds.lines) throw new BrokenSettlementFile(info.lines, 'line', `a file has at most ${bounds.lines}`)
      if (seen.has(record.entry_id)) throw new BrokenSettlementFile(info.lines, 'entry_id', 'was in a line before')
      seen.add(record.entry_id)
      yield readLine(record, info.lines, date)
    }
    await fed
    if (end !== undefined) throw end
    // Nothing at all, not even the names of the columns: a file that was cut off before it began.
    if (!named) throw new BrokenSettlementFile(1, 'line', 'names no columns')
  } catch (error) {
    throw error instanceof CsvError ? brokenBy(error, bounds) : error
  } finally {
    parser.destroy()
  }
}

async function* bounded(content: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  let lines = 1
  for await (const chunk of content) {
    bytes += chunk.byteLength
    if (bytes > most) throw new BrokenSettlementFile(lines, 'line', `a file has at most ${most} bytes`)
    for (const byte of chunk) if (byte === 0x0a) lines++
    yield chunk
  }
}

const columnsOf = (header: readonly string[]): string[] => {
  const names = header.map((name) => name.trim().toLowerCase())
  for (const column of COLUMNS) {
    const places = names.filter((name) => name === column).length
    if (places !== 1) throw new BrokenSettlementFile(1, column, places === 0 ? 'the column is missing' : 'the column is there twice')
  }
  return names
}

const brokenBy = (error: CsvError, { lineLength }: SettlementCsvBounds): BrokenSettlementFile => {
  const line = typeof error['lines'] === 'number' ? error['lines'] : 1
  const column = typeof error['column'] === 'string' ? error['column'] : 'line'
  switch (error.code) {
    case 'CSV_MAX_RECORD_SIZE':
      return new BrokenSettlementFile(line, 'line', `is longer than ${lineLength} characters`)
    case 'CSV_RECORD_INCONSISTENT_COLUMNS':
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH':
      return new BrokenSettlementFile(line, 'line', 'has not as many fields as there are columns')
    default:
      return new BrokenSettlementFile(line, column, 'is not CSV: a quote is not closed, or stands inside a field')
  }
}

const readLine = (row: Row, line: number, date: string): SettlementLine => {
  const broken = (field: Column, rule: string) => new BrokenSettlementFile(line, field, rule)
  const id = (field: 'entry_id' | 'payment_id'): string => {
    if (/^[\x21-\x7e]{1,128}$/.test(row[field])) return row[field]
    throw broken(field, 'must be 1 to 128 visible ASCII characters')
  }
  const amount = (field: 'amount' | 'fee' | 'tax', least: Paise): Paise => {
    const value = /^(0|[1-9][0-9]{0,15})$/.test(row[field]) ? paise(row[field]) : undefined
    if (value === undefined || value < least || value > MAX_PAISE) throw broken(field, `must be whole paise, ${least} or more`)
    return value
  }
  const kind = Object.hasOwn(KINDS, row.type) ? KINDS[row.type] : undefined
  if (!kind) throw broken('type', `must be one of ${Object.keys(KINDS).join(', ')}`)
  if (row.currency !== 'INR') throw broken('currency', 'must be INR')
  if (!/^[\x20-\x7e]{0,255}$/.test(row.reference)) throw broken('reference', 'must be at most 255 ASCII characters')
  const at = TIME.test(row.at) ? Date.parse(row.at) : NaN
  if (Number.isNaN(at)) throw broken('at', 'must be a time by RFC 3339')
  if (indianDate(at) !== date) throw broken('at', `must lie in ${date}, in India`)
  id('entry_id')
  return {
    line,
    kind,
    paymentId: id('payment_id'),
    ...(row.reference === '' ? {} : { reference: row.reference }),
    amount: amount('amount', paise(1)),
    fee: amount('fee', ZERO),
    tax: amount('tax', ZERO),
  }
}
