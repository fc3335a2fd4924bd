import 'reflect-metadata'
import { describe, expect, it } from '@jest/globals'
import { plantedBugs } from './plants.js'
import { addRun, describeFailure, emptyReport } from './report.js'
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

it('says how to have a failing seed again, and has it again', async () => {
  const [plant] = plantedBugs
  const report = emptyReport()
  let seed = 0
  while (report.failures.length === 0 && seed < MOST_SEEDS) addRun(report, await simulate(++seed, plant))
  const [failure] = report.failures
  if (!failure) throw new Error(`not found in ${MOST_SEEDS} seeds`)
  const said = describeFailure(failure)
  expect(said).toContain(`SEED=${seed} npm run test:simulation`)
  expect(said).toContain(failure.message)
  expect((await simulate(seed, plant)).failure?.error.message).toBe(failure.message)
}, 600_000)
