import { describe, expect, it } from '@jest/globals'
import { killedEverywhere } from '#saga/testing'
import { CASES, faults, matrix } from '../../apps/payment-saga/testing/payment-cases.js'
import { loadFaults, loadMatrix } from '../../apps/payment-saga/testing/load-cases.js'
import { LoadPlay, type LoadWorld } from '../../apps/payment-saga/testing/load-play.js'
import { anyEnd, killedAtEveryStep, Play } from '../../apps/payment-saga/testing/play.js'

const worlds = matrix()

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

  it.each(loadMatrix().map((world) => [JSON.stringify(world), world] as const))(
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

/** A timer that died with its process fires late: who pays in the meantime was in time. */
const loadKilledEverywhere = (world: LoadWorld) =>
  killedEverywhere((crash) => (world.luck === 'late' ? anyEnd(new LoadPlay(world, crash)) : new LoadPlay(world, crash)))
