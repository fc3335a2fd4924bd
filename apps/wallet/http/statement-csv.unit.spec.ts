import { expect, it } from '@jest/globals'
import { paise } from '#kernel'
import type { StatementEntry } from '#wallet'
import { csvLines } from './statement-csv.js'

const entry = { entryId: 'w.1', at_ms: 0, type: 'credit', amount: paise(100n), balance: paise(100n), reference: '=1,"a"' } as StatementEntry

it('is lines with a heading, quoted, with no formulas, and lets go of what it reads when its reader goes', async () => {
  let open = true
  const entries = async function* () {
    try {
      yield entry
      yield entry
    } finally {
      open = false
    }
  }
  const line = `w.1,1970-01-01T00:00:00.000Z,credit,100,100,"'=1,""a"""\r\n`
  const heading = 'entryId,at,type,amount,balance,reference\r\n'
  expect(await Array.fromAsync(await csvLines(entries()))).toEqual([heading, line, line])
  open = true
  for await (const _ of await csvLines(entries())) break
  expect(open).toBe(false)
})

it('says that nothing can be read before its first line', async () => {
  const away = async function* (): AsyncGenerator<StatementEntry> {
    await Promise.reject(new Error('away'))
    yield entry
  }
  await expect(csvLines(away())).rejects.toThrow('away')
})
