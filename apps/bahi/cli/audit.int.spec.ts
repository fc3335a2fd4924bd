import { expect, it } from '@jest/globals'
import { createPool } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { migrations } from '../../order-query/migrations.js'
import { KEEP_ACT } from '../../order-query/ops/audit.js'
import type { Io } from './io.js'
import { runProgram } from './program.js'
import * as audit from './verbs/audit.js'

it('bahi audit prints who did what, on what, why and when, the newest first, page after page', async () => {
  const database = await createTestDatabase(migrations, 'order_query')
  const pool = createPool(database)
  const acts = Array.from({ length: 150 }, (_, nth) => ({ actor: nth % 2 ? 'asha' : 'ravi', at: new Date(Date.UTC(2026, 10, 1, 10, nth)) }))
  for (const [nth, { actor, at }] of acts.entries()) {
    const what = ['POST /v1/wallets/:id/freeze', `/v1/wallets/w-${nth}/freeze`, 200, null, 'reported as stolen']
    await pool.query(KEEP_ACT, [`one/${nth}`, 'wallet', actor, ['support'], ...what, `c-${nth}`, `http:${nth}`, at])
  }
  await pool.end()
  const bahi = async (...words: readonly string[]) => {
    const out: string[] = []
    const say = (line: string) => void out.push(line)
    const io: Io = { out: (line) => Promise.resolve(say(line)), say, env: {}, signal: new AbortController().signal, exitCode: 0 }
    await runProgram([audit], io, ['audit', '--url', database.url, ...words])
    return { code: io.exitCode, out }
  }
  try {
    const all = await bahi('--json')
    expect(all.out.map((line) => (JSON.parse(line) as { correlationId: string }).correlationId)).toEqual(
      acts.map((_, nth) => `c-${nth}`).reverse(),
    )
    expect((await bahi('--actor', 'asha', '--from', '2026-11-01T10:01:00Z', '--to', '2026-11-01T10:02:00Z')).out).toEqual([
      '2026-11-01T10:01:00.000Z  wallet  asha (support)  POST /v1/wallets/:id/freeze  /v1/wallets/w-1/freeze  200  reported as stolen',
    ])
    expect((await bahi('--from', 'yesterday')).code).toBe(1)
  } finally {
    await database.drop()
  }
})
