import { describe, expect, it } from '@jest/globals'
import { paise } from '#kernel'
import { FakeClock } from '#kernel/testing'
import { killedEverywhere } from '#saga/testing'
import { ASKED, BooksOfProvider, type Luck } from '../../apps/payment-saga/testing/books.js'
import { CASES, faults, matrix } from '../../apps/payment-saga/testing/payment-cases.js'
import { loadFaults, loadMatrix } from '../../apps/payment-saga/testing/load-cases.js'
import { LoadPlay, type LoadWorld } from '../../apps/payment-saga/testing/load-play.js'
import { anyEnd, killedAtEveryStep, Play, WINDOW_MS, type World } from '../../apps/payment-saga/testing/play.js'
import { delayOf_ms, OUTCOMES, type Method, type Outcome } from '../../apps/provider-sandbox/outcome.js'
import { decided, due, opened, type PaymentStatus } from '../../apps/provider-sandbox/payment.js'

const worlds = matrix()
const loads = loadMatrix()

describe('every way to pay, every outcome at the provider, and a crash before and after every step', () => {
  it('is hundreds of cases', () => {
    expect(worlds.length).toBeGreaterThan(300)
  })

  it.each(worlds.map((world) => [JSON.stringify(world), world] as const))('%s', async (_, world) => killedAtEveryStep(world), 60_000)

  it.each(faults().map((world) => [JSON.stringify(world), world] as const))(
    'a person is called, and the provider is back: %s',
    async (_, world) => {
      await (await new Play(world).play()).check()
      // Asked about dozens of times, or hundreds, there are too many points to be killed at each: a few askings have the same steps.
      await killedAtEveryStep({ ...world, asksLess: true })
    },
    60_000,
  )

  it.each(CASES.map(([world]) => [JSON.stringify(world), world] as const))(
    'by hand: %s',
    async (_, world) => killedAtEveryStep(world),
    60_000,
  )

  it.each(loads.map((world) => [JSON.stringify(world), world] as const))(
    'a wallet load: %s',
    async (_, world) => loadKilledEverywhere(world),
    60_000,
  )

  it.each(loadFaults().map((world) => [JSON.stringify(world), world] as const))(
    'a wallet load, a person is called where it cannot be undone, and the provider is back: %s',
    async (_, world) => {
      await (await new LoadPlay(world).play()).check()
      await loadKilledEverywhere({ ...world, asksLess: true })
    },
    60_000,
  )
})

/** A timer that died with its process fires late: who pays in the meantime was in time, and who was silent has declined. */
const loadKilledEverywhere = (world: LoadWorld) =>
  killedEverywhere((crash) =>
    world.luck === 'late' || world.luck === 'asked-silent' ? anyEnd(new LoadPlay(world, crash)) : new LoadPlay(world, crash),
  )

/** What an outcome of the sandbox is called here: of one that asks the payer there are as many as they have answers. */
const LUCKS_OF: Readonly<Record<Outcome, readonly Luck[]>> = {
  paid: ['success'],
  slow: ['slow'],
  late: ['late'],
  lost: ['lost'],
  declined: ['decline'],
  timeout: ['timeout'],
  asked: ASKED,
}
const METHODS: readonly Method[] = ['upi', 'card', 'netbanking']
const SANDBOX = METHODS.flatMap((method) => Object.entries(OUTCOMES[method]).map(([name, outcome]) => [method, name, outcome] as const))

describe('every outcome that the sandbox has for a way to pay', () => {
  it.each(SANDBOX)('%s by %s, %s: is among the cases, of a payment, of a part of one and of a load', (method, _, outcome) => {
    expect(LUCKS_OF[outcome]).not.toEqual([])
    // A UPI payer is asked by their app, which nothing but an intent opens.
    const flow = method === 'upi' && outcome === 'asked' ? ({ flow: 'intent' } as const) : {}
    for (const luck of LUCKS_OF[outcome]) {
      const bothWays = new Set([undefined, true])
      expect(webhooksOf(worlds, { method, luck, ...flow })).toEqual(bothWays)
      expect(webhooksOf(worlds, { method: 'split', other: method, luck })).toEqual(bothWays)
      expect(webhooksOf(loads, { method, luck, ...flow })).toEqual(bothWays)
    }
  })

  it.each(SANDBOX.flatMap(([method, name, outcome]) => LUCKS_OF[outcome].map((luck) => [method, name, luck, outcome] as const)))(
    '%s by %s, %s: goes here as it goes there',
    async (method, _, luck, outcome) => {
      expect(await statusesHere(method, luck)).toEqual(statusesThere(method, outcome, luck))
    },
  )
})

/** Of the cases that are like this, whether the provider tells of it. */
const webhooksOf = (cases: readonly (World | LoadWorld)[], like: Partial<World>): ReadonlySet<boolean | undefined> =>
  new Set(
    cases
      .filter((each) => Object.entries(like).every(([name, value]) => Reflect.get(each, name) === value))
      .map(({ webhooks }) => webhooks),
  )

/** When a payment is looked at: as it is made, just before its window ends, and long after. */
const LOOKS_MS = [0, WINDOW_MS - 1, 2 * WINDOW_MS]
const amount = paise(100)

const statusesHere = async (method: Method, luck: Luck): Promise<readonly (PaymentStatus | undefined)[]> => {
  const clock = new FakeClock()
  const books = new BooksOfProvider(() => clock, luck, WINDOW_MS)
  const made = clock.now()
  await books.authorise('k', { orderId: 'o', amount, method, instrument: 'i' })
  return LOOKS_MS.map((at_ms) => {
    clock.advance(made + at_ms - clock.now())
    return books.look()?.status
  })
}

const statusesThere = (method: Method, outcome: Outcome, luck: Luck): readonly (PaymentStatus | undefined)[] => {
  // Nothing of it comes into its books.
  if (outcome === 'timeout') return LOOKS_MS.map(() => undefined)
  const blank = {
    paymentId: 'p',
    idempotencyKey: 'k',
    orderId: 'o',
    method,
    amount,
    status: 'pending',
    captured: paise(0),
    refunded: paise(0),
  } as const
  const dueAt = delayOf_ms(outcome, 0.5, WINDOW_MS / 1_000)
  const { payment } = opened(blank, outcome, { now: 0, dueAt })
  const answered = luck === 'asked-silent' ? undefined : decided(payment, luck === 'asked-pays', 1)
  return LOOKS_MS.map((at_ms) => {
    if (payment.status !== 'pending' || at_ms === 0) return payment.status
    if (answered) return answered.payment.status
    return (at_ms >= dueAt ? due(payment, at_ms).payment : payment).status
  })
}
