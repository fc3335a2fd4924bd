import { expect } from '@jest/globals'
import fc from 'fast-check'
import type { Answered, Command, EventStore, RecordedEvent } from '../store.js'
import { change, move } from './tally.js'

/** A command as the model knows it: a change of one tally, or a move between two. */
export interface Step {
  readonly id: string
  readonly from: string
  readonly to?: string
  readonly by: number
  /** Through which of the two instances. */
  readonly via: 0 | 1
  /** Sent again, through the other instance. */
  readonly repeated: boolean
}

const NAMES = ['a', 'b', 'c'] as const

/** Waves of steps; those of a wave run at once. */
export const waves = (maxWaves: number, maxSteps: number): fc.Arbitrary<Step[][]> =>
  fc
    .array(
      fc.array(
        fc.record({
          from: fc.constantFrom(...NAMES),
          to: fc.option(fc.constantFrom(...NAMES), { nil: undefined, freq: 2 }),
          by: fc.integer({ min: -5, max: 8 }),
          via: fc.constantFrom(0 as const, 1 as const),
          repeated: fc.boolean(),
        }),
        { minLength: 1, maxLength: maxSteps },
      ),
      { minLength: 1, maxLength: maxWaves },
    )
    .map((groups) =>
      groups.map((group, wave) =>
        group.map(({ to, by, ...step }, at): Step => {
          const isMove = to !== undefined && to !== step.from
          return { ...step, ...(isMove ? { to, by: Math.abs(by) } : { by }), id: `${wave}-${at}` }
        }),
      ),
    )

/** Runs the waves on streams named after `prefix`, and holds answers and history against a plain model. */
export const runAgainstModel = async (
  instances: readonly [EventStore, EventStore],
  groups: readonly Step[][],
  prefix: string,
): Promise<void> => {
  const commandOf = ({ id, from, to, by }: Step): Command =>
    to === undefined
      ? change(`${prefix}-${id}`, `${prefix}-${from}`, by)
      : move(`${prefix}-${id}`, `${prefix}-${from}`, `${prefix}-${to}`, by)
  const answers = new Map<string, Answered[]>()
  for (const group of groups)
    await Promise.all(
      group.flatMap((step) => {
        const send = async (store: EventStore) => {
          const answered = await store.execute(commandOf(step))
          answers.set(step.id, [...(answers.get(step.id) ?? []), answered])
        }
        return step.repeated ? [send(instances[step.via]), send(instances[step.via === 0 ? 1 : 0])] : [send(instances[step.via])]
      }),
    )
  const streams = await Promise.all(NAMES.map((name) => Array.fromAsync(instances[0].readStream(`tally-${prefix}-${name}`))))
  const history = streams.flat().sort((one, other) => (one.position < other.position ? -1 : 1))
  check(groups.flat(), answers, history, prefix)
  for (const name of NAMES) expect(await instances[1].verify(`tally-${prefix}-${name}`)).toMatchObject({ ok: true })
}

/** The history, replayed by two numbers a tally, must give each command the answer that it got. */
const check = (
  steps: readonly Step[],
  answers: ReadonlyMap<string, readonly Answered[]>,
  history: readonly RecordedEvent[],
  prefix: string,
): void => {
  const totals = new Map<string, number[]>()
  const totalsOf = (name: string) => totals.get(name) ?? [0]
  const now = (name: string) => totalsOf(name).at(-1) ?? 0
  const add = (name: string, by: number) => totals.set(name, [...totalsOf(name), now(name) + by])
  const written = Map.groupBy(history, ({ metadata }) => metadata.commandId)
  const order = [...written.keys()]
  const stepOf = new Map(steps.map((step) => [`${prefix}-${step.id}`, step]))
  for (const commandId of order) {
    const step = stepOf.get(commandId)
    const events = written.get(commandId) ?? []
    if (!step) throw new Error(`${commandId} was never sent`)
    if (step.to === undefined) {
      add(step.from, step.by)
      expect(events).toHaveLength(1)
      expect(answers.get(step.id)?.[0]?.answer).toBe(`total ${now(step.from)}`)
    } else {
      expect(now(step.from)).toBeGreaterThanOrEqual(step.by)
      add(step.from, -step.by)
      add(step.to, step.by)
      expect(events.map(({ stream }) => stream)).toEqual([`tally-${prefix}-${step.from}`, `tally-${prefix}-${step.to}`])
    }
  }
  for (const step of steps) {
    const got = answers.get(step.id) ?? []
    expect(new Set(got.map(({ answer }) => answer)).size).toBe(1)
    expect(got.filter(({ replayed }) => !replayed)).toHaveLength(1)
    if (written.has(`${prefix}-${step.id}`)) continue
    // A refusal: there was a moment at which it was right.
    const seen =
      got[0]?.answer === 'refused'
        ? totalsOf(step.from).filter((total) => total < step.by)
        : totalsOf(step.from).filter((total) => total + step.by < 0 && got[0]?.answer === `refused at ${total}`)
    expect(seen.length).toBeGreaterThan(0)
  }
}
