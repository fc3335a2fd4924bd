import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrations } from '../../payment-saga/migrations.js'
import type { Io } from './io.js'
import { runProgram } from './program.js'
import * as settlement from './verbs/settlement.js'

const folder = mkdtempSync(join(tmpdir(), 'bahi-settlement-'))
const HEADER = 'entry_id,type,payment_id,reference,amount,fee,tax,currency,at'
const file = (...lines: readonly string[]) => {
  const path = join(folder, 'file.csv')
  writeFileSync(path, [HEADER, ...lines].join('\n'))
  return path
}

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(migrations)
  const pool = createPool(database)
  await pool.query(`
    INSERT INTO provider_movements (payment_id, kind, total, order_id, at)
    VALUES ('p-1', 'capture', 1000, 'o-1', '2026-11-20T10:00:00Z'), ('p-2', 'capture', 500, 'o-2', '2026-11-20T11:00:00Z')`)
  await pool.end()
})
afterAll(async () => {
  await database.drop()
  rmSync(folder, { recursive: true })
})

const bahi = async (...words: readonly string[]) => {
  const out: string[] = []
  const io: Io = {
    out: (line) => Promise.resolve(void out.push(line)),
    say: (line) => void out.push(line),
    env: {},
    signal: new AbortController().signal,
    exitCode: 0,
  }
  await runProgram([settlement], io, ['settlement', ...words, '--url', database.url, '--schema', database.schema])
  return { code: io.exitCode, out, objects: () => out.map((line) => JSON.parse(line) as Record<string, unknown>) }
}
const reconcile = (path: string, ...more: readonly string[]) => bahi('reconcile', '2026-11-20', path, '--reason', 'by mail', ...more)

it('takes a file of a day, prints what it came to, and exits with 1 while the books differ', async () => {
  expect((await bahi('report', '2026-11-20')).out).toEqual(['bahi: 2026-11-20 was not reconciled yet'])
  const first = 'e-1,payment,p-1,r-1,1000,20,4,INR,2026-11-20T09:59:59Z'
  const differing = await reconcile(file(first), '--json')
  expect([differing.code, differing.objects()]).toMatchObject([
    1,
    [
      {
        date: '2026-11-20',
        status: 'DONE',
        reason: 'by mail',
        matched: { movements: 1 },
        cases: { open: 1 },
        provider: { net: { amount: '976' } },
      },
    ],
  ])
  expect((await bahi('cases')).out).toEqual(['2026-11-20  missing-there     capture     p-2  theirs 0.00  ours 5.00'])
  const broken = await reconcile(file(first, 'e-2,payment,p-2,,5.00,0,0,INR,2026-11-20T11:00:00Z'))
  expect([broken.code, broken.out[0]]).toEqual([
    1,
    expect.stringMatching(/^2026-11-20 {2}FAILED: line 3, amount: must be whole paise, 1 or more {2}by \S+$/),
  ])
  const agreeing = await reconcile(file(first, 'e-2,payment,p-2,,500,10,2,INR,2026-11-20T11:00:00Z'))
  expect([agreeing.code, agreeing.out.map((line) => line.split(/ {2,}/))]).toEqual([
    0,
    expect.arrayContaining([
      ['matched', '2', '15.00'],
      ['cases', '0 open, 1 resolved'],
      ['provider fee', '0.30'],
    ]),
  ])
  expect((await bahi('cases')).out).toEqual([])
  expect((await bahi('cases', '--all', '--json')).objects()).toMatchObject([{ status: 'RESOLVED', resolvedBy: 'reconciliation' }])
  expect((await bahi('report', '2026-11-20')).code).toBe(0)
  const pool = createPool(database)
  const { rows } = await pool.query(
    `SELECT convert_from(metadata, 'utf8')::jsonb ->> 'reason' AS reason FROM events WHERE stream_id LIKE 'audit-%'`,
  )
  await pool.end()
  expect(rows).toEqual([{ reason: 'by mail' }, { reason: 'by mail' }, { reason: 'by mail' }])
})

it.each([
  [['report', '2026-02-30'], 'bahi: 2026-02-30 is not a date: say YYYY-MM-DD'],
  [['reconcile', '2026-11-20', '/nowhere', '--reason', 'x'], 'bahi: cannot read /nowhere (ENOENT)'],
])('says in a line what is wrong with %j', async (words, said) => {
  expect(await bahi(...words)).toMatchObject({ code: 1, out: [said] })
})

it.each(['', '--json'])('takes no %j for a reason', async (reason) => {
  const { code, out } = await bahi('reconcile', '2026-11-20', '/nowhere', '--reason', reason)
  expect([code, out.join(' ')]).toEqual([1, expect.stringContaining('It is a text of 1 to 500 characters')])
})
