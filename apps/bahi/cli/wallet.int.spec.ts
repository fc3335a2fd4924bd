import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { createPool } from '#postgres'
import { inr, startTestWallet, type TestWallet } from '../../wallet/testing/test-app.js'
import type { Io } from './io.js'
import { runProgram } from './program.js'
import * as wallet from './verbs/wallet.js'

let test: TestWallet
beforeAll(async () => {
  test = await startTestWallet()
})
afterAll(() => test?.close())

const bahi = async (...words: readonly string[]) => {
  const out: string[] = []
  const io: Io = {
    out: (line) => Promise.resolve(void out.push(line)),
    say: (line) => void out.push(line),
    env: {},
    signal: new AbortController().signal,
    exitCode: 0,
  }
  await runProgram([wallet], io, ['wallet', 'trial-balance', '--url', test.databaseUrl, '--schema', 'wallet', ...words])
  return { code: io.exitCode, out }
}

it('prints the trial balance that the app answers, and exits with 1 where it does not add up', async () => {
  const id = await test.wallet('books', 100)
  await test.call('POST', `/v1/wallets/${id}/debits`, { body: { amount: inr(30), reference: 'r' } })
  const answered = JSON.parse((await test.call('GET', '/v1/wallets/trial-balance')).text) as unknown
  const { code, out } = await bahi('--json')
  expect([code, out.map((line) => JSON.parse(line) as unknown)]).toEqual([0, [answered]])
  expect((await bahi()).out.map((line) => line.split(/ {2,}/))).toEqual([
    ['account', 'debits', 'credits', 'balance'],
    ['wallets', '30.00', '100.00', '70.00'],
    ['escrow', '100.00', '30.00', '-70.00'],
    ['provider-clearing', '0.00', '0.00', '0.00'],
    ['merchant-payable', '0.00', '0.00', '0.00'],
    ['transfers', '0.00', '0.00', '0.00'],
    ['owner-payable', '0.00', '0.00', '0.00'],
    ['3 events', 'in balance'],
  ])
  const pool = createPool({ url: test.databaseUrl, schema: 'wallet', applicationName: 'test', maxConnections: 1 })
  await pool.query("UPDATE folded_books SET credits = credits + 1 WHERE account = 'wallets'")
  await pool.end()
  expect((await bahi()).code).toBe(1)
})
