import { afterEach, describe, expect, it } from '@jest/globals'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client } from './client.js'
import { checkInvariants } from './invariants.js'

let server: Server | undefined
afterEach(() => void server?.close())

/** What does not hold on a platform without orders whose books and sagas are as told. */
const brokenOn = async ({ total = '0', countedEvents = 2, saga = 'COMPLETED' }) => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://platform')
    const answers: Readonly<Record<string, object>> = {
      '/v1/dev/token': { accessToken: 'x' },
      '/v1/wallets/trial-balance': { accounts: [{}, {}], total: { amount: total, currency: 'INR' }, countedEvents },
      '/v1/sagas': { items: url.searchParams.get('status') === saga ? [{ sagaId: 's-1' }] : [] },
    }
    response.end(JSON.stringify(answers[url.pathname]))
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => undefined)
  const nothing = { customers: [], products: [], results: [], availableBefore: new Map<string, number>() }
  const invariants = await checkInvariants({ client, runId: 'demo', width: 1, ...nothing })
  return invariants.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`)
}

describe('the invariants of a demo', () => {
  it('hold where all is well', async () => {
    expect(await brokenOn({})).toEqual([])
  })

  it.each(['RUNNING', 'WAITING', 'COMPENSATING', 'NEEDS_ATTENTION'])('miss a saga that stays %s', async (saga) => {
    expect(await brokenOn({ saga })).toEqual([`every saga ended: 1 sagas are ${saga}, first s-1`])
  })

  it('miss a trial balance that is not zero, or over nothing', async () => {
    const name = 'money is conserved: the trial balance is zero'
    expect(await brokenOn({ total: '-7' })).toEqual([`${name}: 2 accounts, 2 events: -7 paise`])
    expect(await brokenOn({ countedEvents: 0 })).toEqual([`${name}: 2 accounts, 0 events: 0 paise`])
  })
})
