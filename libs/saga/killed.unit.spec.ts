import { describe, expect, it } from '@jest/globals'
import { activity, defineSaga, sagaIdFor, statusOf, type Activity } from '#saga'
import { killedEverywhere, SagaBench, type BenchOptions, type Playable } from '#saga/testing'

const sagaId = sagaIdFor('payment', 'p-1')
const payment = defineSaga<{ readonly amount: string }>({
  type: 'payment',
  version: 1,
  onlyForward: true,
  steps: ['take', 'tell'].map((name) => ({ name, does: activity(name, { input: ({ data }) => data }) })),
})

class Play extends SagaBench implements Playable {
  constructor(
    private readonly bank: { readonly taken: string[]; readonly activity: Activity },
    private readonly endOf: (play: Play) => unknown,
    crash: BenchOptions['crash'],
  ) {
    super({ definitions: [payment], activities: { take: bank.activity, tell: async () => ({ outcome: 'succeeded', result: {} }) }, crash })
  }

  async play(): Promise<void> {
    const start = { kind: 'start', type: 'payment', correlationKey: 'p-1', data: { amount: '500' } } as const
    await this.apply({ ...start, id: 'start', sagaId, context: { correlationId: 'c', causationId: 'c' } })
    await this.run()
  }

  async check(): Promise<void> {
    expect([statusOf(await this.state(sagaId)), this.bank.taken.length]).toEqual(['COMPLETED', 1])
  }

  end(): unknown {
    return this.endOf(this)
  }
}

const careful = () => {
  const taken: string[] = []
  const activity: Activity = async ({ key }) => {
    if (!taken.includes(key)) taken.push(key)
    return { outcome: 'succeeded', result: {} }
  }
  return { taken, activity }
}
/** Takes the money again when it is run again. */
const careless = () => {
  const taken: string[] = []
  const activity: Activity = async ({ key }) => {
    taken.push(key)
    return { outcome: 'succeeded', result: {} }
  }
  return { taken, activity }
}

describe('a scenario that is killed everywhere', () => {
  it.each(['before', 'after'] as const)('forgets all that ran beside what was killed %s its commit', async (when) => {
    const runs: string[] = []
    const act: Activity = async ({ key }) => {
      runs.push(key.split(':')[1] ?? '')
      return { outcome: 'succeeded', result: {} }
    }
    const both = defineSaga<{ readonly amount: string }>({
      type: 'payment',
      version: 1,
      steps: [
        { name: 'take', does: activity('act', { input: ({ data }) => data }) },
        { name: 'tell', beside: true, does: activity('act', { input: ({ data }) => data }) },
      ],
    })
    // The first transaction starts it, the second is what came of both.
    const bench = new SagaBench({ definitions: [both], activities: { act }, crash: { at: 2, when } })
    const start = { kind: 'start', type: 'payment', correlationKey: 'p-1', data: { amount: '500' } } as const
    await bench.apply({ ...start, id: 'start', sagaId, context: { correlationId: 'c', causationId: 'c' } })
    await bench.run()
    expect(statusOf(await bench.state(sagaId))).toBe('COMPLETED')
    expect(runs.toSorted()).toEqual(when === 'before' ? ['take', 'take', 'tell', 'tell'] : ['take', 'tell'])
  })

  it('is played once for each transaction and each side of it', async () => {
    const plays: BenchOptions['crash'][] = []
    const kills = await killedEverywhere((crash) => {
      plays.push(crash)
      return new Play(careful(), () => 'the end', crash)
    })
    const whole = new Play(careful(), () => 'the end', undefined)
    await whole.play()
    expect(whole.transactions).toBeGreaterThan(2)
    expect(kills).toBe(2 * whole.transactions)
    expect(plays).toEqual([
      undefined,
      ...Array.from({ length: whole.transactions }, (_, nth) => [
        { at: nth + 1, when: 'before' },
        { at: nth + 1, when: 'after' },
      ]).flat(),
    ])
  })

  it('shows where a step that is not idempotent is run twice', async () => {
    await expect(killedEverywhere((crash) => new Play(careless(), () => 'the end', crash))).rejects.toThrow(
      /^killed before the commit of transaction \d of \d: /,
    )
  })

  it('shows where it ends otherwise', async () => {
    await expect(killedEverywhere((crash) => new Play(careful(), ({ transactions }) => transactions, crash))).rejects.toThrow(/^killed /)
  })

  it('must have something to be killed at', async () => {
    const nothing: Playable = { transactions: 0, play: () => Promise.resolve(), check: () => undefined }
    await expect(killedEverywhere(() => nothing)).rejects.toThrow('nothing was played')
  })
})
