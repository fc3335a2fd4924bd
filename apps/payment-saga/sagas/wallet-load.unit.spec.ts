import { describe, expect, it } from '@jest/globals'
import { ProviderPaymentChanged } from '#contracts'
import { LOADED, LoadPlay, loadSagaId, type LoadWorld } from '../testing/load-play.js'
import { killedEverywhere } from '#saga/testing'

const credited = { saga: 'COMPLETED', load: 'credited' }
const failed = (reason: string) => ({ saga: 'COMPENSATED', load: `failed ${reason}` })

const CASES: readonly (readonly [LoadWorld, object])[] = [
  [{ method: 'upi' }, credited],
  [{ method: 'card' }, credited],
  [{ method: 'netbanking' }, credited],
  [{ method: 'card', webhooks: true }, credited],
  [{ method: 'upi', luck: 'lost' }, credited],
  [{ method: 'upi', luck: 'slow', webhooks: true }, credited],
  [{ method: 'upi', luck: 'decline' }, failed('payment-declined')],
  [{ method: 'card', luck: 'timeout' }, failed('payment-expired')],
  [{ method: 'upi', luck: 'late' }, failed('payment-expired')],
  ...([{ method: 'netbanking' }, { method: 'upi', flow: 'intent' }] as const).flatMap((way): readonly (readonly [LoadWorld, object])[] => [
    [{ ...way, luck: 'asked-pays' }, credited],
    [{ ...way, luck: 'asked-pays', webhooks: true }, credited],
    [{ ...way, luck: 'asked-declines' }, failed('payment-declined')],
    [{ ...way, luck: 'asked-silent' }, failed('payment-expired')],
  ]),
  [{ method: 'card', unheard: 'capture' }, failed('authorisation-lapsed')],
  [{ method: 'card', unheard: 'all' }, failed('payment-expired')],
  [{ method: 'upi', meanwhile: 'closed' }, failed('wallet-closed')],
  [{ method: 'card', meanwhile: 'closed' }, failed('wallet-closed')],
  [{ method: 'upi', meanwhile: 'frozen' }, credited],
  [{ method: 'card', meanwhile: 'filled' }, credited],
]

describe('a wallet load', () => {
  it.each(CASES.map(([world, end]) => [JSON.stringify(world), world, end] as const))('%s', async (_, world, end) => {
    const play = await new LoadPlay(world).play()
    expect(await play.end()).toEqual(end)
    await play.check()
  })

  it.each([
    { method: 'card', meanwhile: 'closed' },
    { method: 'upi', luck: 'lost', webhooks: true },
  ] as const satisfies readonly LoadWorld[])('%j, killed at every step', async (world) => {
    expect(await killedEverywhere((crash) => new LoadPlay(world, crash))).toBeGreaterThan(10)
  })

  it.each([
    [{ method: 'card' }, ['open', 'done'], '0'],
    [{ method: 'card', meanwhile: 'closed' }, ['open', 'undone', 'undone'], LOADED],
    [{ method: 'upi', luck: 'late' }, ['undone'], LOADED],
  ] as const satisfies readonly (readonly [LoadWorld, ...unknown[]])[])(
    '%j says what becomes of what was taken',
    async (world, uses, refunded) => {
      const play = await new LoadPlay(world).play()
      const told = play.sent.filter(({ type }) => type === ProviderPaymentChanged.type).map(({ data }) => data)
      expect(told.map(({ use }) => use)).toEqual(uses)
      expect(told.at(-1)).toMatchObject({ captured: LOADED, refunded, purpose: 'load', method: world.method, paidAt: expect.any(String) })
    },
  )

  it.each([
    [{ method: 'netbanking', luck: 'asked-pays' }, 'redirect'],
    [{ method: 'upi', flow: 'intent', luck: 'asked-declines' }, 'intent'],
  ] as const satisfies readonly (readonly [LoadWorld, string])[])('%j tells its payer once where to go on: %s', async (world, kind) => {
    const play = await new LoadPlay(world).play()
    expect(play.nexts).toEqual([{ kind, url: expect.stringMatching(`^${kind}:`) }])
  })

  it('asks at once when its payer comes back from the bank', async () => {
    const play = new LoadPlay({ method: 'netbanking', luck: 'asked-pays' })
    const began = play.clock.now()
    await play.play()
    expect(play.clock.now() - began).toBe(3_000)
  })

  it('that was paid twice calls a person for the other payment, and is credited once', async () => {
    const play = await new LoadPlay({ method: 'upi' }).play()
    const body = { providerPaymentId: 'pay_other', status: 'captured', authorised: LOADED, captured: LOADED }
    await play.apply({
      kind: 'message',
      id: 'w',
      sagaId: loadSagaId,
      context: { correlationId: 'l', causationId: 'w' },
      name: 'provider-payment',
      body,
    })
    await play.run()
    const sagas = play.store.instances().map(({ type, status, correlationKey }) => [type, status, correlationKey])
    expect(sagas).toContainEqual(['second-payment', 'NEEDS_ATTENTION', `${loadSagaId}:pay_other`])
    expect(await play.end()).toEqual(credited)
  })

  it('gives back what was paid too late', async () => {
    const play = await new LoadPlay({ method: 'upi', luck: 'late' }).play()
    expect(play.provider.look()).toMatchObject({ captured: 50_000n, refunded: 50_000n })
  })
})
