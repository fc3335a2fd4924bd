import type { Refusal } from './refusal.js'

/**
 * An aggregate as three pure values. Time, ids and chance reach `decide` inside the command.
 * `decide` answers with the events that happened (none: it was already so) or with a refusal; it never throws for what a user can cause.
 * The pattern is Jérémie Chassaing's "functional event sourcing decider".
 */
export interface Decider<Command, State, Event> {
  readonly initialState: State
  decide(command: Command, state: State): readonly Event[] | Refusal
  evolve(state: State, event: Event): State
}

export const fold = <State, Event>(
  decider: Pick<Decider<never, State, Event>, 'evolve' | 'initialState'>,
  events: Iterable<Event>,
  from: State = decider.initialState,
): State => {
  let state = from
  for (const event of events) state = decider.evolve(state, event)
  return state
}
