import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { featuresOf, NO_HISTORY, type AlertEvent, type Transaction as Scorable } from '#fraud'
import { paise, type Transactions } from '#kernel'
import type { AlertStatus, AlertStore } from '../alerts/alert-store.js'
import type { FeatureStore, OrderOutcome, ScoredTransaction } from '../scoring/feature-store.js'

export interface StoreUnderTest<Store> {
  readonly store: Store
  readonly transactions: Transactions
  close(): Promise<void>
}

const NOW = Date.UTC(2026, 10, 1, 6, 30)
const MINUTE_MS = 60_000

let count = 0
/** Nobody shares a customer, so the tests share a store. */
const someone = () => `c-${++count}`

const transaction = (customerId: string, changes: Partial<Scorable> = {}): Scorable => ({
  customerId,
  amount: paise(100_000),
  method: 'card',
  addressHash: `address of ${customerId}`,
  deviceHash: `device of ${customerId}`,
  at: NOW,
  ...changes,
})

const scored = (each: Scorable, changes: Partial<ScoredTransaction> = {}): ScoredTransaction => {
  const orderId = `o-${++count}`
  return {
    id: `score ${orderId}`,
    orderId,
    transaction: each,
    score: { score: 0.1, decision: 'approve', reasons: [{ code: 'new-device', contribution: 0.1, text: 'first' }] },
    modelVersion: 'scorecard-1',
    scoredAt: NOW,
    ...changes,
  }
}

/** What every feature store must do. */
export const featureStoreConformance = (name: string, make: () => Promise<StoreUnderTest<FeatureStore>>): void => {
  describe(`${name} feature store`, () => {
    let made: StoreUnderTest<FeatureStore>
    beforeAll(async () => void (made = await make()))
    afterAll(() => made.close())

    const record = (...each: readonly ScoredTransaction[]) => made.transactions.run((tx) => made.store.record(tx, each))
    const outcomes = (...each: readonly OrderOutcome[]) => made.transactions.run((tx) => made.store.recordOutcomes(tx, each))
    const background = async (each: Scorable) => (await made.store.read([{ id: 'asked', transaction: each }])).backgrounds.of(each)
    const features = async (each: Scorable) => featuresOf(each, await background(each))

    it('knows nothing of a stranger', async () => {
      expect(await background(transaction(someone()))).toEqual({
        customer: NO_HISTORY,
        byCustomer: [],
        byDevice: [],
        byAddress: [],
        deviceKnown: false,
        addressKnown: false,
      })
      expect((await made.store.read([])).known.size).toBe(0)
    })

    it('counts velocity by customer, device and address, in a day, the newest first', async () => {
      const [a, b] = [someone(), someone()]
      const ago = (customerId: string, minutes: number) =>
        scored(transaction(customerId, { at: NOW - minutes * MINUTE_MS, deviceHash: `shared ${a}`, addressHash: `house ${a}` }))
      await record(ago(a, 0.5), ago(a, 5), ago(b, 30), ago(a, 600), ago(a, 1_441))
      const asked = transaction(a, { deviceHash: `shared ${a}`, addressHash: `house ${a}` })
      expect((await background(asked)).byDevice.map(({ at }) => (NOW - at) / MINUTE_MS)).toEqual([0.5, 5, 30, 600])
      expect(await features(asked)).toMatchObject({
        customerPerMinute: 1,
        customerPer10Minutes: 2,
        customerPerHour: 2,
        customerPerDay: 3,
        devicePerHour: 3,
        addressPerDay: 4,
        customersOnDevice: 2,
        newCustomer: 1,
        newDevice: 1,
      })
    })

    it('looks at a bounded number of them', async () => {
      const customer = someone()
      await record(...Array.from({ length: 80 }, (_, at) => scored(transaction(customer, { at: NOW - at }))))
      expect((await background(transaction(customer))).byCustomer).toHaveLength(64)
    })

    it('counts one id once, and gives it back', async () => {
      const each = scored(transaction(someone()), { alertId: '00000000-0000-7000-8000-000000000001' })
      await record(each)
      await record(each, { ...each, modelVersion: 'another' })
      expect((await background(each.transaction)).byCustomer).toHaveLength(1)
      const { known } = await made.store.read([{ id: each.id, transaction: each.transaction }])
      expect(known.get(each.id)).toEqual(each)
    })

    it('counts nothing of a transaction that was rolled back', async () => {
      const each = scored(transaction(someone()))
      const boom = new Error('boom')
      await expect(
        made.transactions.run(async (tx) => {
          await made.store.record(tx, [each])
          throw boom
        }),
      ).rejects.toBe(boom)
      expect((await background(each.transaction)).byCustomer).toEqual([])
    })

    it('makes a habit of confirmed orders, and none of cancelled ones', async () => {
      const customer = someone()
      const [one, two, three] = [100_000, 300_000, 900_000].map((amount) => scored(transaction(customer, { amount: paise(amount) })))
      if (!one?.orderId || !two?.orderId || !three?.orderId) throw new Error('orders are missing')
      await record(one, two, three)
      await outcomes(
        { orderId: one.orderId, confirmed: true },
        { orderId: two.orderId, confirmed: true },
        { orderId: three.orderId, confirmed: true },
        { orderId: three.orderId, cancelReason: 'customer' },
        { orderId: 'nobody', confirmed: true },
      )
      await outcomes({ orderId: one.orderId, confirmed: true })
      const { customer: found, deviceKnown, addressKnown } = await background(transaction(customer))
      expect(found.confirmed).toEqual({ count: 2, total: 400_000n, max: 300_000n })
      expect([deviceKnown, addressKnown]).toEqual([true, true])
      expect((await background(transaction(customer, { deviceHash: 'stolen' }))).deviceKnown).toBe(false)
      expect((await background(transaction(someone(), { deviceHash: `device of ${customer}` }))).deviceKnown).toBe(false)
    })

    it.each([
      ['a declined payment', [{ cancelReason: 'payment-declined' }], 1],
      ['an expired payment', [{ compensated: true }, { cancelReason: 'payment-expired' }], 1],
      ['a payment undone for no reason known', [{ compensated: true }], 1],
      ['a cancellation by the customer', [{ cancelReason: 'customer' }, { compensated: true }], 0],
      ['a fraud decline', [{ compensated: true }, { cancelReason: 'fraud-declined' }], 0],
    ] satisfies [string, Omit<OrderOutcome, 'orderId'>[], number][])('counts failures: %s', async (_, each, failures) => {
      const customer = someone()
      const order = scored(transaction(customer, { at: NOW - MINUTE_MS }))
      await record(order)
      for (const outcome of each) await outcomes({ orderId: order.orderId ?? '', ...outcome })
      expect((await features(transaction(customer))).failedPaymentsPerHour).toBe(failures)
    })
  })
}

/** What every alert store must do. */
export const alertStoreConformance = (name: string, make: () => Promise<StoreUnderTest<AlertStore>>): void => {
  describe(`${name} alert store`, () => {
    let made: StoreUnderTest<AlertStore>
    beforeAll(async () => void (made = await make()))
    afterAll(() => made.close())

    const id = (n: number) => `00000000-0000-7000-8000-${n.toString().padStart(12, '0')}`
    const raised = (n: number): Extract<AlertEvent, { type: 'AlertRaised' }> => ({
      type: 'AlertRaised',
      data: {
        alertId: id(n),
        orderId: `o-${n}`,
        customerId: 'c-1',
        amount: '20000000',
        score: 0.57,
        reasons: [{ code: 'large-first-order', contribution: 0.5, text: 'large' }],
        modelVersion: 'scorecard-1',
        at: new Date(NOW + n).toISOString(),
        dueAt: new Date(NOW + n + MINUTE_MS).toISOString(),
      },
    })
    const taken = (n: number): AlertEvent => {
      const { data } = raised(n)
      return { type: 'SampleTaken', data: { ...data, share: 0.25 } }
    }
    const decided = (n: number, decision: 'approve' | 'decline', type: 'AlertDecided' | 'SampleLabelled' = 'AlertDecided'): AlertEvent => ({
      type,
      data: { alertId: id(n), orderId: `o-${n}`, decision, by: 'risk-1', note: 'called', at: new Date(NOW + 5_000).toISOString() },
    })
    const project = (...events: readonly AlertEvent[]) => made.transactions.run((tx) => made.store.project(tx, events))
    const list = async (query: Parameters<AlertStore['list']>[0]) => (await made.store.list(query)).map(({ orderId }) => orderId)

    it('keeps the queue in the order in which alerts were raised, by status', async () => {
      await project(raised(3), raised(1), raised(2), raised(4))
      await project(decided(1, 'approve'), decided(4, 'decline'))
      expect(await list({ limit: 10 })).toEqual(['o-1', 'o-2', 'o-3', 'o-4'])
      expect(await list({ status: 'open', limit: 10 })).toEqual(['o-2', 'o-3'])
      expect(await list({ status: 'approved', limit: 10 })).toEqual(['o-1'])
      expect(await list({ status: 'declined', limit: 10 })).toEqual(['o-4'])
      expect(await list({ after: id(1), limit: 2 })).toEqual(['o-2', 'o-3'])
      expect(await list({ status: 'open', after: id(2), limit: 2 })).toEqual(['o-3'])
    })

    it('has the whole alert', async () => {
      expect(await made.store.get(id(1))).toEqual({
        alertId: id(1),
        orderId: 'o-1',
        customerId: 'c-1',
        amount: 20_000_000n,
        score: 0.57,
        reasons: [{ code: 'large-first-order', contribution: 0.5, text: 'large' }],
        modelVersion: 'scorecard-1',
        raisedAt: NOW + 1,
        dueAt: NOW + 1 + MINUTE_MS,
        decided: { decision: 'approve', by: 'risk-1', note: 'called', at: NOW + 5_000 },
      })
      expect(await made.store.get(id(99))).toBeUndefined()
    })

    it('says which open ones are due', async () => {
      expect(await made.store.due(NOW + 1 + MINUTE_MS, 10)).toEqual([])
      expect(await made.store.due(NOW + 2 + MINUTE_MS, 10)).toEqual([id(2)])
      expect(await made.store.due(NOW + 10 * MINUTE_MS, 1)).toEqual([id(2)])
      expect(await made.store.due(NOW + 10 * MINUTE_MS, 10)).toEqual([id(2), id(3)])
      expect(await made.store.due(NOW + 10 * MINUTE_MS, 1, [id(2)])).toEqual([id(3)])
    })

    it('keeps samples apart from what orders wait for, with or without a label, and none that lapsed', async () => {
      const listed = (status?: AlertStatus) => list({ ...(status === undefined ? {} : { status }), limit: 10 })
      const others = async () => [await listed(), await listed('open'), await listed('approved'), await listed('declined')]
      const before = await others()
      await project(taken(11), taken(12), taken(13))
      expect([await listed('sampled'), await listed('labelled')]).toEqual([['o-11', 'o-12', 'o-13'], []])
      expect(await made.store.due(NOW + 11 + MINUTE_MS, 1, [id(2), id(3)])).toEqual([id(11)])
      await project(decided(12, 'decline', 'SampleLabelled'))
      await project({ type: 'SampleLapsed', data: { alertId: id(13), orderId: 'o-13', at: new Date(NOW).toISOString() } })
      expect([await listed('sampled'), await listed('labelled')]).toEqual([['o-11'], ['o-12']])
      expect(await made.store.get(id(12))).toMatchObject({ orderId: 'o-12', share: 0.25, decided: { decision: 'decline', by: 'risk-1' } })
      expect(await made.store.get(id(13))).toBeUndefined()
      expect(await others()).toEqual(before)
    })
  })
}
