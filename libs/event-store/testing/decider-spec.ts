import { expect } from '@jest/globals'
import { fold, isRefusal, type Decider, type Refusal } from '#kernel'

export interface Then<State, Event> {
  /** These events, and no others; none: it was already so. */
  then(...events: readonly Event[]): void
  /** No, by this slug. */
  thenRefused(slug: string, kind?: Refusal['kind']): void
  /** The state once what was decided has happened. */
  thenState(expected: State): void
}

export interface Given<Command, State, Event> {
  when(command: Command): Then<State, Event>
}

/**
 * Tests of a decider as sentences: `given(…events).when(command).then(…events)`. The events given must fold, and what is decided must fold too:
 * an event that `evolve` cannot take fails the test here and not at its next load.
 */
export const deciderSpec = <Command, State, Event>(decider: Decider<Command, State, Event>) => ({
  given: (...events: readonly Event[]): Given<Command, State, Event> => ({
    when(command) {
      const before = fold(decider, events)
      const decided = decider.decide(command, before)
      const after = isRefusal(decided) ? before : fold(decider, decided, before)
      return {
        then(...expected) {
          expect(decided).toEqual(expected)
        },
        thenRefused(slug, kind) {
          expect(decided).toMatchObject({ refused: true, slug, ...(kind ? { kind } : {}) })
        },
        thenState(expected) {
          expect(isRefusal(decided) ? decided : after).toEqual(expected)
        },
      }
    },
  }),
})
