import { afterEach, describe, expect, it } from '@jest/globals'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client } from './client.js'
import { checkInvariants } from './invariants.js'
import { orderResult } from './order-result.fixture.js'
import { PLANS } from './orders.js'

let server: Server | undefined
afterEach(() => void server?.close())

const [plan] = PLANS
if (!plan) throw new Error('the demo has no plans')
const order = orderResult(plan)

/** What does not hold on a platform with one order, whose books are as told; and a saga, on the last page of those in its state. */
const brokenOn = async ({ total = '0', countedEvents = 2, saga = 'COMPLETED', of = order.orderId }) => {
  const sagas = (query: URLSearchParams) => {
    if (query.get('status') !== saga) return { items: [], nextCursor: null }
    if (query.get('cursor') !== 'page 2') return { items: [{ sagaId: 's-0', status: saga, correlationKey: 'o-0' }], nextCursor: 'page 2' }
    return { items: [{ sagaId: 's-1', status: saga, correlationKey: of }], nextCursor: null }
  }
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://platform')
    const answers: Readonly<Record<string, object>> = {
      '/v1/dev/token': { accessToken: 'x' },
      '/v1/wallets/trial-balance': { accounts: [{}, {}], total: { amount: total, currency: 'INR' }, countedEvents },
      '/v1/sagas': sagas(url.searchParams),
    }
    response.end(JSON.stringify(answers[url.pathname]))
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => undefined)
  const nothing = { customers: [], products: [], results: [order], availableBefore: new Map<string, number>() }
  const invariants = await checkInvariants({ client, runId: 'demo', width: 1, ...nothing })
  return invariants.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`)
}

describe('the invariants of a demo', () => {
  it('hold where all is well', async () => {
    expect(await brokenOn({})).toEqual([])
  })

  it.each(['RUNNING', 'WAITING', 'COMPENSATING', 'NEEDS_ATTENTION'])('miss a saga that stays %s', async (saga) => {
    expect(await brokenOn({ saga })).toEqual([`every saga ended: saga s-1 of order o-1 is ${saga}`])
  })

  it('say nothing of the sagas of others who buy at the same time', async () => {
    expect(await brokenOn({ saga: 'WAITING', of: 'o-2' })).toEqual([])
  })

  it('miss a trial balance that is not zero, or over nothing', async () => {
    const name = 'money is conserved: the trial balance is zero'
    expect(await brokenOn({ total: '-7' })).toEqual([`${name}: 2 accounts, 2 events: -7 paise`])
    expect(await brokenOn({ countedEvents: 0 })).toEqual([`${name}: 2 accounts, 0 events: 0 paise`])
  })
})
