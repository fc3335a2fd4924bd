import { describe, expect, it } from '@jest/globals'
import { CASES, matrix } from '../../apps/payment-saga/testing/payment-cases.js'
import { killedAtEveryStep } from '../../apps/payment-saga/testing/play.js'

const worlds = matrix()

describe('every way to pay, every outcome at the provider, and a crash before and after every step', () => {
  it('is hundreds of cases', () => {
    expect(worlds.length).toBeGreaterThan(300)
  })

  it.each(worlds.map((world) => [JSON.stringify(world), world] as const))('%s', async (_, world) => killedAtEveryStep(world), 60_000)

  it.each(CASES.map(([world]) => [JSON.stringify(world), world] as const))(
    'by hand: %s',
    async (_, world) => killedAtEveryStep(world),
    60_000,
  )
})
