import 'reflect-metadata'
import { describe, expect, it } from '@jest/globals'
import { plantedBugs } from './plants.js'
import { simulate } from './simulation.js'

/** Within so many seeds each must show itself. */
const MOST_SEEDS = 150

describe('the simulator finds', () => {
  it.each(plantedBugs)(
    '$bug',
    async (plant) => {
      for (let seed = 1; seed <= MOST_SEEDS; seed++) {
        const { failure } = await simulate(seed, plant)
        if (failure) return expect(failure.error.message).toMatch(plant.shows)
      }
      throw new Error(`not found in ${MOST_SEEDS} seeds`)
    },
    600_000,
  )
})
