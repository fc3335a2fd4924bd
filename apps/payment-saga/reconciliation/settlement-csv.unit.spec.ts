import { describe, expect, it } from '@jest/globals'
import { BrokenSettlementFile, type SettlementLine } from '#payment'
import fc from 'fast-check'
import { parseSettlementCsv, SETTLEMENT_CSV_BOUNDS, type SettlementCsvBounds } from './settlement-csv.js'

const DATE = '2026-11-28'
const HEADER = 'entry_id,type,payment_id,reference,amount,fee,tax,currency,at'
const GOOD = 'e-1,payment,p-1,"saga:pay, ""x""",12345,247,44,INR,2026-11-28T10:00:00.000Z'

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const read = async (text: string, bounds: SettlementCsvBounds = SETTLEMENT_CSV_BOUNDS, size = 64): Promise<readonly SettlementLine[]> => {
  const lines: SettlementLine[] = []
  for await (const line of parseSettlementCsv(pieces(text, size), DATE, bounds)) lines.push(line)
  return lines
}
const brokenBy = async (...of: Parameters<typeof read>) => {
  const error: unknown = await read(...of).then(
    () => 'nothing',
    (thrown: unknown) => thrown,
  )
  return error instanceof BrokenSettlementFile ? error.message : error
}

describe('a settlement file', () => {
  it('is read line by line, whatever pieces it comes in, with columns in any order and more of them than ours', async () => {
    const line = { line: 2, kind: 'capture', paymentId: 'p-1', reference: 'saga:pay, "x"', amount: 12_345n, fee: 247n, tax: 44n }
    for (const size of [1, 7, 1_000]) expect(await read(`${HEADER}\n${GOOD}\n`, SETTLEMENT_CSV_BOUNDS, size)).toEqual([line])
    const turned =
      'utr,at,currency,tax,fee,amount,reference,payment_id,type,entry_id\r\nU-1,2026-11-28T15:30:00+05:30,INR,0,0,5,,p-2,refund,e-2\r\n'
    expect(await read(`\uFEFF${turned}`)).toEqual([{ line: 2, kind: 'refund', paymentId: 'p-2', amount: 5n, fee: 0n, tax: 0n }])
    expect(await read(`${HEADER}\n`)).toEqual([])
  })

  it.each([
    ['', 'line 1, line: names no columns'],
    [HEADER.replace(',fee', ''), 'line 1, fee: the column is missing'],
    [`${HEADER},fee`, 'line 1, fee: the column is there twice'],
    [
      `${HEADER}\n${GOOD}\n${GOOD.replace('e-1', 'e-2').replace('payment', 'gift')}`,
      'line 3, type: must be one of payment, refund, adjustment',
    ],
    [`${HEADER}\n${GOOD.replace('12345', '123.45')}`, 'line 2, amount: must be whole paise, 1 or more'],
    [`${HEADER}\n${GOOD.replace('12345', '0')}`, 'line 2, amount: must be whole paise, 1 or more'],
    [`${HEADER}\n${GOOD.replace('12345', '9'.repeat(16))}`, 'line 2, amount: must be whole paise, 1 or more'],
    [`${HEADER}\n${GOOD.replace('247', '-1')}`, 'line 2, fee: must be whole paise, 0 or more'],
    [`${HEADER}\n${GOOD.replace('INR', 'USD')}`, 'line 2, currency: must be INR'],
    [`${HEADER}\n${GOOD.replace('p-1', 'p 1')}`, 'line 2, payment_id: must be 1 to 128 visible ASCII characters'],
    [`${HEADER}\n${GOOD.replace('10:00:00.000Z', '18:30:00.000Z')}`, 'line 2, at: must lie in 2026-11-28, in India'],
    [`${HEADER}\n${GOOD.replace('2026-11-28T10:00:00.000Z', 'noon')}`, 'line 2, at: must be a time by RFC 3339'],
    [`${HEADER}\n${GOOD}\n${GOOD}`, 'line 3, entry_id: was in a line before'],
    [`${HEADER}\n${GOOD},more`, 'line 2, line: has not as many fields as there are columns'],
    [`${HEADER}\n${GOOD}\ne-2,payment,p-2`, 'line 3, line: has not as many fields as there are columns'],
    [
      `${HEADER}\n${GOOD.replaceAll('"', '').replace('saga', '"saga')}\n`,
      'line 2, reference: is not CSV: a quote is not closed, or stands inside a field',
    ],
  ])('that is broken says in which line and field, and not what was there: %#', async (text, said) => {
    expect(await brokenBy(text)).toBe(said)
  })

  it('is read no further than its bounds', async () => {
    const lines = (count: number) => Array.from({ length: count }, (_, nth) => GOOD.replace('e-1', `e-${nth}`)).join('\n')
    const bounds = { bytes: 100_000, lines: 3, lineLength: 200 }
    expect(await brokenBy(`${HEADER}\n${lines(4)}`, bounds)).toBe('line 5, line: a file has at most 3')
    expect(await brokenBy(`${HEADER}\n${GOOD.replace('saga', 's'.repeat(300))}`, bounds)).toBe(
      'line 2, line: is longer than 200 characters',
    )
    expect(await brokenBy(`${HEADER}\n${lines(3)}`, { ...bounds, bytes: 200 })).toMatch(/^line [234], line: a file has at most 200 bytes$/)
    let taken = 0
    const endless = (async function* () {
      yield Buffer.from(`${HEADER}\n`)
      for (; ; taken++) yield Buffer.alloc(1_000, 'x')
    })()
    await expect(parseSettlementCsv(endless, DATE, bounds).next()).rejects.toThrow('is longer than 200 characters')
    expect(taken).toBeLessThan(100)
  })

  it('that is interrupted is not taken for a whole one', async () => {
    const cut = (async function* () {
      yield Buffer.from(`${HEADER}\n${GOOD}\n`)
      throw new Error('the connection was reset')
    })()
    const all = async () => {
      for await (const _ of parseSettlementCsv(cut, DATE)) continue
    }
    await expect(all()).rejects.toThrow('the connection was reset')
  })

  it('of anything at all is lines or a line and a field, never another failure', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.array(fc.constantFrom(...`${GOOD}\n"`), { maxLength: 300 }).map((signs) => signs.join('')),
    )
    await fc.assert(
      fc.asyncProperty(text, async (rest) => {
        expect(await brokenBy(`${HEADER}\n${rest}`)).toMatch(/^line \d+, \w+: |^nothing$/)
      }),
    )
  })
})
