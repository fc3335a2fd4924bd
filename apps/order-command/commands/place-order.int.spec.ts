import { describe, expect, it } from '@jest/globals'
import { paise } from '#kernel'
import type { CommandRequest } from '#platform'
import { airdopes, asha, basket } from '../testing/examples.js'
import { memoryParts, rules } from '../testing/memory-app.js'
import type { Rules } from '../rules.js'
import { orderRef } from '../streams.js'
import { PlaceOrder, PlaceOrderHandler, type OrderRequest, type PaymentRequest } from './place-order.js'
import { PutProduct, PutProductHandler } from './put-product.js'

let ids = 0
const request = (sub: string = asha.sub): CommandRequest => {
  const commandId = `command-${++ids}`
  return {
    caller: { sub, roles: ['customer'], isStaff: false },
    method: 'POST',
    path: '/v1/orders',
    route: 'POST /v1/orders',
    commandId,
    fingerprint: 'f',
    unkeyedFingerprint: () => 'f',
    context: { correlationId: commandId, causationId: commandId },
    traceId: '0',
  }
}

const world = async (now_ms?: number) => {
  const parts = memoryParts(now_ms)
  const { http, subjectKeys, clock, ids: orderIds, store } = parts
  const placeUnder = (by: Rules) => new PlaceOrderHandler(http, subjectKeys, by, clock, orderIds, undefined)
  const put = new PutProductHandler(http)
  const putPrice = (amount: string, gstRate = 18) =>
    put.execute(new PutProduct(request('m-1'), 'BOAT-141', { title: airdopes.title, category: 'audio', price: amount, gstRate }))
  await putPrice('149900')
  const placing = (payment: PaymentRequest = { method: 'cod' }, by: Rules = rules) =>
    placeUnder(by).execute(new PlaceOrder(request(), { ...(basket() as OrderRequest), payment }))
  return { ...parts, store, putPrice, placing }
}

describe('placing an order', () => {
  it('takes the price of the moment', async () => {
    const one = await world()
    const before = await one.placing()
    await one.putPrice('99900')
    const after = await one.placing()
    expect(before.body).toMatchObject({ totals: { grandTotal: { amount: '299800' } } })
    expect(after.body).toMatchObject({ totals: { grandTotal: { amount: '199800' } } })
  })

  it('is refused while a product has a GST rate that has ended', async () => {
    const one = await world()
    await one.putPrice('149900', 28)
    expect(await one.placing()).toMatchObject({ status: 422, body: { type: '/problems/gst-rate-expired' } })
  })

  it('is refused to who was erased, and nothing is kept', async () => {
    const one = await world()
    await one.subjectKeys.erase(asha.sub)
    await expect(one.placing()).rejects.toMatchObject({ status: 403, slug: 'account-erased' })
  })

  it('keeps both parts of a split, and refuses one that leaves the other nothing', async () => {
    const one = await world()
    const other = { method: 'card', token: 'tok_success_42' } as const
    const split = (amount: string) => ({ method: 'split', walletId: 'w-1', amount, other }) as const
    const { body } = await one.placing(split('299799'))
    const { orderId, payment } = body as unknown as { orderId: string; payment: object }
    expect(payment).toMatchObject({
      method: 'split',
      walletId: 'w-1',
      walletAmount: { amount: '299799' },
      other: { method: 'card', display: 'card …42' },
    })
    const { state } = await one.store.load(orderRef(orderId))
    expect(state?.payment).toMatchObject({ walletAmount: '299799', other: { method: 'card', instrument: { subject: asha.sub } } })
    expect(JSON.stringify([state, body])).not.toContain('tok_success')
    for (const amount of ['299800', '999999'])
      expect(await one.placing(split(amount))).toMatchObject({ status: 422, body: { type: '/problems/split-exceeds-total' } })
  })

  it('is paid at the door only up to the amount of the day’s row, and where that is offered', async () => {
    const one = await world()
    await one.putPrice('9999999')
    expect(await one.placing()).toMatchObject({ status: 201 })
    await one.putPrice('10000000')
    expect(await one.placing()).toMatchObject({ status: 422, body: { type: '/problems/cod-not-offered' } })
    expect(await one.placing({ method: 'card', token: 'tok_success' })).toMatchObject({ status: 201 })
    await one.putPrice('100')
    const there = { ...rules, cod: [{ effectiveFrom: '2026-01-01', most: paise(500), except: ['56'], source: 'test' }] }
    expect(await one.placing({ method: 'cod' }, there)).toMatchObject({ status: 422, body: { type: '/problems/cod-not-offered' } })
  })

  it('is paid by a plan that is offered, which goes with it', async () => {
    const one = await world()
    await one.putPrice('250000')
    const { body, status } = await one.placing({ method: 'card', token: 'tok_success', plan: 'EMI_6' })
    expect([status, body]).toMatchObject([201, { payment: { method: 'card', plan: 'EMI_6', display: 'card …ss' } }])
    const { state } = await one.store.load(orderRef((body as unknown as { orderId: string }).orderId))
    expect(state?.payment).toMatchObject({ method: 'card', plan: 'EMI_6' })
    for (const payment of [
      { method: 'card', token: 'tok_success', plan: 'EMI_7' },
      { method: 'card', token: 'tok_success', plan: 'LAZYPAY' },
      { method: 'netbanking', bankCode: 'SBOX_SUCCESS', plan: 'EMI_6' },
    ] as const)
      expect(await one.placing(payment)).toMatchObject({ status: 422, body: { type: '/problems/plan-not-offered' } })
  })

  it.each<[PaymentRequest, string | undefined]>([
    [{ method: 'upi', vpa: 'asha.rao@okbank' }, 'as…@okbank'],
    [{ method: 'upi', vpa: 'ab@upi' }, 'a…@upi'],
    [{ method: 'card', token: 'tok_success' }, 'card …ss'],
    [{ method: 'card', token: 'tok' }, 'card'],
    [{ method: 'netbanking', bankCode: 'SBOX_SUCCESS' }, 'SBOX_SUCCESS'],
    [{ method: 'cod' }, undefined],
  ])('shows %j as %s', async (payment, display) => {
    const one = await world()
    const { body } = await one.placing(payment)
    const { orderId, payment: shown } = body as unknown as { orderId: string; payment: { display?: string } }
    expect(shown.display).toBe(display)
    const { state } = await one.store.load(orderRef(orderId))
    const kept = JSON.stringify(state)
    if ('vpa' in payment) expect(kept).not.toContain(payment.vpa)
    if ('token' in payment) expect(kept).not.toContain(`"${payment.token}"`)
    expect(kept).not.toContain('Asha')
  })
})
