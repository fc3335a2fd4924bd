import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import type pg from 'pg'
import { placePostgres } from '../../apps/bahi/postgres/placement.js'
import { removePostgres, startPostgres, type RunningPostgres } from '../../apps/bahi/postgres/server.js'
import { supervisePostgres } from '../../apps/bahi/postgres/supervise.js'
import { inr, startTestWallet, type Answer, type Call, type TestWallet } from '../../apps/wallet/testing/test-app.js'
import { mountSmallDisk } from './small-disk.js'

/** Holds a new server and a few of its WAL segments. */
const disk = mountSmallDisk(160)
const onOwnDisk = disk === undefined ? describe.skip : describe

onOwnDisk('with PostgreSQL, data and WAL, on a disk that is full, the wallet', () => {
  let placement: Awaited<ReturnType<typeof placePostgres>>
  let server: RunningPostgres
  let supervisor: ReturnType<typeof supervisePostgres>
  let test: TestWallet
  let outside: pg.Pool
  let restarts = 0
  const shared = process.env['BAHI_TEST_POSTGRES_URL']
  beforeAll(async () => {
    placement = await placePostgres(disk?.folder ?? '')
    server = await startPostgres(placement)
    supervisor = supervisePostgres({
      url: server.url,
      ensure: () => startPostgres(placement, server.port),
      onRestarted: () => restarts++,
      onGivenUp: (error) => console.log('PostgreSQL was given up', error),
    })
    process.env['BAHI_TEST_POSTGRES_URL'] = server.url
    test = await startTestWallet({}, undefined, { patient: false })
    outside = createPool({ url: test.databaseUrl, schema: 'wallet', applicationName: 'outside', maxConnections: 1 })
  }, 120_000)
  afterAll(async () => {
    disk?.makeRoom()
    await outside?.end()
    await test?.close()
    process.env['BAHI_TEST_POSTGRES_URL'] = shared
    await supervisor?.stop()
    if (placement) await removePostgres(placement)
    disk?.unmount()
  }, 60_000)

  const expectUnavailable = (answer: Answer): void => {
    expect([answer.status, answer.headers['content-type'], answer.at('type')]).toEqual([
      503,
      'application/problem+json',
      '/problems/unavailable',
    ])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    expect(answer.text).not.toMatch(/space|disk|extend|pg_wal/i)
  }
  const post = (path: string, call: Call): Promise<Answer> => test.call('POST', path, call)
  const books = async (id: string) => {
    const wallet = await test.call('GET', `/v1/wallets/${id}`)
    expect((await test.call('GET', `/v1/wallets/${id}/verify`)).at('ok')).toBe(true)
    return [wallet.at('version'), wallet.at('balance.amount'), wallet.at('held.amount')]
  }

  it('answers 503, does nothing by half, can be read, and goes on by itself when there is room', async () => {
    const [id, to] = [await test.wallet('full', 1_000), await test.wallet('full-to', 0)]
    const as = ['full', 'customer'] as const
    const entry = { amount: inr(1), reference: 'r'.repeat(128) }
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
    const calls = {
      credit: [`/v1/wallets/${id}/credits`, { body: entry }],
      transfer: ['/v1/transfers', { as, body: { ...entry, fromWalletId: id, toWalletId: to } }],
      hold: [`/v1/wallets/${id}/holds`, { as, body: { ...entry, expiresAt } }],
    } as const
    disk?.fill()
    /** The pages that are there take some more; answers the call that found none. */
    const untilFull = async (kind: keyof typeof calls): Promise<readonly [string, Call]> => {
      const [path, call] = calls[kind]
      for (let at = 0; at < 500; at++) {
        const keyed = [path, { ...call, key: `${kind}-${at}` }] as const
        const answer = await post(...keyed)
        if (answer.status === 201) {
          accepted[kind]++
          continue
        }
        expectUnavailable(answer)
        return keyed
      }
      throw new Error('the disk is not full')
    }
    const accepted = { credit: 0, transfer: 0, hold: 0 }
    const failed = [await untilFull('credit'), await untilFull('transfer'), await untilFull('hold')]
    const expected = (credits: number, transfers: number, holds: number) => [
      [2 + credits + transfers + holds, String(100_000 + 100 * (credits - transfers)), String(100 * holds)],
      [1 + transfers, String(100 * transfers), '0'],
    ]
    const { credit, transfer, hold } = accepted
    expect([await books(id), await books(to)]).toEqual(expected(credit, transfer, hold))
    disk?.makeRoom()
    const answers = await Promise.all(failed.map((call) => post(...call)))
    expect(answers.map(({ status, headers }) => [status, headers['idempotency-replayed']])).toEqual(failed.map(() => [201, undefined]))
    expect([await books(id), await books(to)]).toEqual(expected(credit + 1, transfer + 1, hold + 1))
    expect(restarts).toBe(0)
  }, 60_000)

  it('outlives the server that ends because its WAL has no room, and goes on when that was started again', async () => {
    const id = await test.wallet('wal', 100)
    disk?.fill()
    // No room for the next segment: PostgreSQL panics, and cannot recover before there is some.
    await eventually(
      'the server has ended',
      () =>
        outside.query('SELECT pg_switch_wal() FROM pg_logical_emit_message(false, $1, $2)', ['test', 'x']).then(
          () => false,
          () => true,
        ),
      20_000,
    )
    const credit = () => post(`/v1/wallets/${id}/credits`, { key: 'wal', body: { amount: inr(1), reference: 'r' } })
    expectUnavailable(await credit())
    disk?.makeRoom()
    await eventually('the server was started again', () => restarts > 0, 60_000)
    expect((await credit()).status).toBe(201)
    expect(await books(id)).toEqual([3, '10100', '0'])
  }, 120_000)
})
