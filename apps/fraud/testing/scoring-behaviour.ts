import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  AlertDecided,
  CommandAnswered,
  FRAUD_COMMANDS,
  OrderCancelled,
  OrderConfirmed,
  ScoreTransaction,
  TransactionScored,
} from '#contracts'
import type { Commands, EventStore } from '#event-store'
import { alert, DEFAULT_SCORECARD, scorecardScorer } from '#fraud'
import { isRefusal, paise, type IncomingMessage, type JsonObject, type OutgoingMessage, type Random, type Transactions } from '#kernel'
import { countingIds, FakeClock, seededRandom } from '#kernel/testing'
import { AlertCommands } from '../alerts/alert-commands.js'
import type { AlertStore } from '../alerts/alert-store.js'
import { LABEL_WITHIN_MS, statusOf } from '../alerts/alert-store.js'
import { alertStream } from '../alerts/alert-stream.js'
import { AlertTimeouts } from '../alerts/alert-timeouts.js'
import type { FeatureStore } from '../scoring/feature-store.js'
import { OrderOutcomes } from '../scoring/order-outcomes.js'
import { ScoreTransactions } from '../scoring/score-transactions.js'

export interface ScoringHarness {
  readonly features: FeatureStore
  readonly alerts: AlertStore
  readonly store: EventStore
  readonly transactions: Transactions
  close(): Promise<void>
}

const HOUR_MS = 3_600_000

let count = 0
const next = () => ++count

/** What the production handlers do, on any stores. */
export const scoringBehaviour = (name: string, make: (clock: FakeClock) => Promise<ScoringHarness>): void => {
  describe(`scoring on ${name}`, () => {
    const clock = new FakeClock(Date.UTC(2026, 10, 1, 6, 30))
    const ids = countingIds()
    let harness: ScoringHarness
    let commands: AlertCommands
    let scoring: ScoreTransactions
    let sampling: (share: number, random: Random) => ScoreTransactions
    let outcomes: OrderOutcomes

    beforeAll(async () => {
      harness = await make(clock)
      const { features, alerts, store, transactions } = harness
      commands = new AlertCommands(store, alerts, transactions)
      const models = { current: () => Promise.resolve(scorecardScorer(DEFAULT_SCORECARD)) }
      sampling = (share, random) =>
        new ScoreTransactions({ features, models, commands, clock, ids, random, reviewTimeout_ms: HOUR_MS, sampleShare: share })
      scoring = sampling(0, seededRandom(1))
      outcomes = new OrderOutcomes(features)
    })
    afterAll(() => harness.close())

    const message = (topic: string, type: string, key: string, data: JsonObject, id = `m-${next()}`): IncomingMessage => ({
      topic,
      partition: 0,
      offset: BigInt(next()),
      key,
      id,
      type,
      schemaVersion: 1,
      source: 'test',
      origin: { incarnation: 'test', position: BigInt(next()), ordinal: 0 },
      time: clock.now(),
      data,
      context: { correlationId: key, causationId: 'cause' },
    })
    const ask = (changes: Record<string, string> = {}): IncomingMessage => {
      const orderId = changes['orderId'] ?? `o-${next()}`
      const data = {
        replyTo: `saga of ${orderId}`,
        orderId,
        customerId: `c-${orderId}`,
        amount: '149900',
        method: 'card',
        addressHash: `a-${orderId}`,
        placedAt: new Date(clock.now()).toISOString(),
        ...changes,
      }
      return message(FRAUD_COMMANDS, ScoreTransaction.type, orderId, data, `score ${orderId}`)
    }
    /** The same command once more, as its sender sends it again. */
    const again = (asked: IncomingMessage): IncomingMessage => ({ ...asked, origin: { ...asked.origin, position: BigInt(next()) } })

    let read = 0n
    /** What was published since it was last asked. */
    const published = async (): Promise<readonly OutgoingMessage[]> => {
      const entries = await harness.store.outbox.after(read, 1_000)
      read = entries.at(-1)?.position ?? read
      return entries.flatMap(({ messages }) => messages)
    }
    const handleBy = async (by: ScoreTransactions, ...messages: readonly IncomingMessage[]): Promise<readonly OutgoingMessage[]> => {
      const effect = await by.handle(messages)
      await harness.transactions.run(effect)
      return published()
    }
    const handle = (...messages: readonly IncomingMessage[]) => handleBy(scoring, ...messages)
    const answers = (messages: readonly OutgoingMessage[]) =>
      messages.filter(({ type }) => type === CommandAnswered.type).map(({ data }) => CommandAnswered.parse(data))
    const alertOf = (messages: readonly OutgoingMessage[]): string => String(answers(messages)[0]?.result?.['alertId'])
    const happened = async (...messages: readonly IncomingMessage[]) => harness.transactions.run(await outcomes.handle(messages))
    const confirmed = (orderId: string) => message('orders.events', OrderConfirmed.type, orderId, { ...OrderConfirmed.example, orderId })

    it('answers each command once, and tells what it scored', async () => {
      const asked = [ask(), ask({ amount: '20000000' }), ask({ amount: '100000000' })]
      const messages = await handle(...asked)
      expect(answers(messages).map(({ commandId, outcome, result }) => [commandId, outcome, result?.['decision']])).toEqual(
        asked.map(({ id }, at) => [id, 'accepted', ['approve', 'review', 'decline'][at]]),
      )
      const scored = messages.filter(({ type }) => type === TransactionScored.type)
      expect(scored.map(({ key, data }) => [key, data['decision']])).toEqual(
        asked.map(({ key }, at) => [key, ['approve', 'review', 'decline'][at]]),
      )
      expect(messages.filter(({ topic, key }) => topic === 'replies' && key.startsWith('saga of'))).toHaveLength(3)
    })

    it('gives the same command the same answer again, and counts it once', async () => {
      const asked = ask({ customerId: 'repeated', amount: '20000000' })
      const first = answers(await handle(asked))
      const repeats = await handle(again(asked), again(asked))
      expect(answers(repeats)).toEqual([first[0], first[0]])
      expect(repeats.every(({ type }) => type === CommandAnswered.type)).toBe(true)
      const { known, backgrounds } = await harness.features.read([{ id: asked.id, transaction: { ...ANYTHING, customerId: 'repeated' } }])
      expect(known.size).toBe(1)
      expect(backgrounds.of({ ...ANYTHING, customerId: 'repeated' }).byCustomer).toHaveLength(1)
      const open = await harness.alerts.list({ limit: 100 })
      expect(open.filter(({ customerId }) => customerId === 'repeated')).toHaveLength(1)
    })

    it('answers a command that comes twice in one batch twice, alike', async () => {
      const asked = ask({ customerId: 'twice' })
      const messages = await handle(asked, again(asked))
      const [one, two] = answers(messages)
      expect(answers(messages)).toHaveLength(2)
      expect(one).toEqual(two)
      expect(messages.filter(({ type }) => type === TransactionScored.type)).toHaveLength(1)
    })

    it('lets a batch see itself: one by one or together, the scores are the same', async () => {
      const burst = (customerId: string) => Array.from({ length: 12 }, () => ask({ customerId, addressHash: `home of ${customerId}` }))
      const together = answers(await handle(...burst('together')))
      const alone = []
      for (const asked of burst('alone')) alone.push(...answers(await handle(asked)))
      const scores = (each: typeof together) => each.map(({ result }) => result?.['score'])
      expect(scores(together)).toEqual(scores(alone))
      expect(Math.max(...scores(together).map(Number))).toBeGreaterThan(Number(scores(together)[0]))
    })

    it('keeps nothing of a batch whose transaction failed, and handles it the next time', async () => {
      const asked = ask({ customerId: 'failed', amount: '20000000' })
      const effect = await scoring.handle([asked])
      const boom = new Error('boom')
      const failing = harness.transactions.run(async (tx) => {
        await effect(tx)
        throw boom
      })
      await expect(failing).rejects.toBe(boom)
      expect(await published()).toEqual([])
      const messages = await handle(asked)
      expect(answers(messages)).toHaveLength(1)
      expect(await harness.alerts.get(alertOf(messages))).toMatchObject({ customerId: 'failed' })
    })

    it('passes over what it does not know, and rejects what breaks its contract', async () => {
      expect(await handle(message(FRAUD_COMMANDS, 'Unknown', 'x', {}))).toEqual([])
      await expect(scoring.handle([ask({ amount: 'much' })])).rejects.toThrow(/amount/)
      await expect(scoring.handle([ask({ placedAt: 'the other day, at noon' })])).rejects.toThrow(/placedAt/)
    })

    it('learns from orders: confirmed ones make a customer known', async () => {
      const customer = { customerId: 'faithful', addressHash: 'home', deviceHash: 'phone' }
      const orders = [ask(customer), ask(customer), ask(customer)]
      const before = Number(answers(await handle(...orders))[0]?.result?.['score'])
      await happened(...orders.map(({ key }) => confirmed(key)))
      clock.advance(24 * HOUR_MS)
      const [known] = answers(await handle(ask(customer)))
      expect(before).toBeGreaterThan(0)
      expect(known?.result?.['score']).toBe(0)
      const [large] = answers(await handle(ask({ ...customer, amount: '5000000' })))
      expect(Number(large?.result?.['score'])).toBeGreaterThan(0.3)
    })

    it('learns from orders: failed payments count', async () => {
      const customer = { customerId: 'unlucky' }
      const order = ask(customer)
      await handle(order)
      const data = { ...OrderCancelled.example, orderId: order.key, reason: 'payment-declined' }
      await happened(message('orders.events', OrderCancelled.type, order.key, data))
      const scored = (await handle(ask(customer))).find(({ type }) => type === TransactionScored.type)
      expect(JSON.stringify(scored?.data['reasons'])).toContain('failed-payments')
    })

    it('declines what nobody decided in time, once', async () => {
      const { alerts, transactions } = harness
      const timeouts = new AlertTimeouts({ alerts, commands, transactions, clock, random })
      for (let turns = 0; turns < 10 && (await timeouts.turn()) > 0; turns++);
      await published()
      const alertId = alertOf(await handle(ask({ amount: '20000000' })))
      clock.advance(HOUR_MS - 1)
      expect(await timeouts.turn()).toBe(0)
      clock.advance(1)
      expect(await timeouts.turn()).toBe(1)
      expect(await timeouts.turn()).toBe(0)
      const row = await harness.alerts.get(alertId)
      expect(row && statusOf(row)).toBe('declined')
      expect((await published()).map(({ type, data }) => [type, data['alertId'], data['decision'], data['by'], data['version']])).toEqual([
        [AlertDecided.type, alertId, 'decline', 'app:fraud', 2],
      ])
    })

    it('declines the others when one of them cannot be, and that one later', async () => {
      const { alerts, transactions } = harness
      const cleared = new AlertTimeouts({ alerts, commands, transactions, clock, random })
      for (let turns = 0; turns < 10 && (await cleared.turn()) > 0; turns++);
      const ofThree: string[] = []
      for (const each of [1, 2, 3]) ofThree.push(alertOf(await handle(ask({ customerId: `poison-${each}`, amount: '20000000' }))))
      const [poison = '', ...others] = ofThree
      let poisoned = true
      const failing: Pick<Commands, 'executeAll'> = {
        executeAll: (all, tx) =>
          poisoned && all.some(({ id }) => id.startsWith(poison)) ? Promise.reject(new Error('poison')) : commands.executeAll(all, tx),
      }
      const errors: unknown[] = []
      const onError = (error: unknown) => errors.push(error)
      const timeouts = new AlertTimeouts({ alerts, commands: failing, transactions, clock, random, onError })
      const statuses = () => Promise.all(ofThree.map(async (id) => (await alerts.get(id))?.decided?.decision))
      clock.advance(HOUR_MS)
      expect([await timeouts.turn(), await timeouts.turn(), errors.length]).toEqual([3, 0, 1])
      expect(await statuses()).toEqual([undefined, ...others.map(() => 'decline')])
      clock.advance(10_000)
      poisoned = false
      expect([await timeouts.turn(), await timeouts.turn()]).toEqual([1, 0])
      expect(await statuses()).toEqual(ofThree.map(() => 'decline'))
    })

    const samples = () => harness.alerts.list({ status: 'sampled', limit: 10_000 })

    it('draws samples of what approves itself, and of nothing else; whoever asked learns nothing of it, also when they ask again', async () => {
      const all = sampling(1, seededRandom(1))
      const [approved, reviewed, declined] = [ask(), ask({ amount: '20000000' }), ask({ amount: '100000000' })]
      const answered = answers(await handleBy(all, approved, reviewed, declined)).map(({ result }) => result)
      expect(answered).toEqual([
        { decision: 'approve', score: expect.any(Number) },
        { decision: 'review', score: expect.any(Number), alertId: expect.any(String) },
        { decision: 'decline', score: expect.any(Number) },
      ])
      expect(answers(await handleBy(all, again(approved))).map(({ result }) => result)).toEqual([answered[0]])
      expect((await samples()).map(({ orderId, share }) => [orderId, share])).toEqual([[approved.key, 1]])
    })

    it('draws each by chance, as many as its share says, and the same ones by the same seed', async () => {
      const [orders, share] = [400, 0.25]
      const drawn = async (seed: number) => {
        const asked = Array.from({ length: orders }, () => ask())
        await handleBy(sampling(share, seededRandom(seed)), ...asked)
        const taken = new Set((await samples()).map(({ orderId }) => orderId))
        return asked.flatMap(({ key }, at) => (taken.has(key) ? [at] : []))
      }
      const [one, same, other] = [await drawn(7), await drawn(7), await drawn(8)]
      expect(same).toEqual(one)
      expect(other).not.toEqual(one)
      // Four standard deviations of a binomial around its mean.
      const deviation = Math.sqrt(orders * share * (1 - share))
      for (const { length } of [one, other]) expect(Math.abs(length - orders * share)).toBeLessThan(4 * deviation)
    })

    it('takes a label for a sample, and tells nobody', async () => {
      const asked = ask()
      await handleBy(sampling(1, seededRandom(1)), asked)
      const alertId = (await samples()).find(({ orderId }) => orderId === asked.key)?.alertId ?? ''
      const stream = alertStream(alertId)
      await commands.execute({
        id: `label ${alertId}`,
        fingerprint: 'label',
        streams: [stream],
        metadata: { correlationId: asked.key, causationId: 'test', actor: 'risk-1' },
        decide(states) {
          const label = { decision: 'decline', by: 'risk-1', note: 'stolen', at: new Date(clock.now()).toISOString() } as const
          const events = alert.decide({ type: 'DecideAlert', ...label }, states.of(stream).state)
          return { appends: isRefusal(events) ? [] : [{ stream, events }], answer: '' }
        },
      })
      expect(await harness.alerts.get(alertId)).toMatchObject({ orderId: asked.key, share: 1, decided: { decision: 'decline' } })
      expect(await published()).toEqual([])
    })

    it('lets a sample lapse that nobody labelled, and tells nobody', async () => {
      const { alerts, transactions } = harness
      const timeouts = new AlertTimeouts({ alerts, commands, transactions, clock, random })
      const expired = async () => {
        for (let turns = 0; turns < 20 && (await timeouts.turn()) > 0; turns++);
      }
      const asked = ask()
      await handleBy(sampling(1, seededRandom(1)), asked)
      const taken = async () => (await samples()).some(({ orderId }) => orderId === asked.key)
      clock.advance(LABEL_WITHIN_MS - 1)
      await expired()
      expect(await taken()).toBe(true)
      await published()
      clock.advance(1)
      await expired()
      expect(await taken()).toBe(false)
      expect(await published()).toEqual([])
    })
  })
}

const random = { next: () => 0.5 }
const ANYTHING = { customerId: '', amount: paise(1), method: 'card', at: Date.UTC(2026, 10, 1, 6, 30) }
