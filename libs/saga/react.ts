import type { JsonObject, OutgoingMessage } from '#kernel'
import type { AnySaga, Tell } from './definition.js'
import { parseActionKey } from './ids.js'
import type { ActivityOutcome, OperatorAction, SagaInput } from './input.js'
import { actionOf, actionsOf, attentionsOf, earliestDue, hasEnded, ownContext, type SagaEvent, type SagaState } from './state.js'
import { misfitOf } from './misfit.js'
import { Turn, viewOf, type Child } from './turn.js'

/** Messages kept for a saga that has not started. */
const MOST_EARLY = 100

/** What an input leads to. */
export interface Reaction {
  readonly state: SagaState
  readonly events: readonly SagaEvent[]
  readonly messages: readonly OutgoingMessage[]
  readonly tells: readonly Tell[]
  /** Children to start as steps of this saga. */
  readonly children: readonly Child[]
  /** The end of this saga, to the one whose step it is. */
  readonly reports: readonly Report[]
  readonly disposition: 'applied' | 'noted'
}

export interface Report {
  readonly sagaId: string
  readonly key: string
  readonly outcome: ActivityOutcome
}

export interface ReactionRefused {
  readonly disposition: 'refused'
  readonly slug: string
  readonly detail: string
  /** What a person must tell of the step besides, to say that it succeeded. */
  readonly lacks?: readonly string[]
}

/**
 * The engine: a pure function from a saga's state and an input to what happens. The same state, input and time give the same reaction.
 * `version` is the stream's before it; `at` is now, in milliseconds since the epoch.
 */
export const react = (
  definition: AnySaga,
  before: SagaState,
  input: SagaInput,
  { at, version }: { at: number; version: number },
): Reaction | ReactionRefused => {
  const turn = new Turn(definition, before, input, at)
  if (hasEnded(before) && before.definition !== definition.version) move(turn)
  const refused = take(turn, input)
  if (refused) return refused
  const tells = tell(turn)
  const messages = [...turn.messages, ...published(turn, before, version + turn.events.length)]
  const noted = turn.events.every(({ type }) => type === 'InputNoted' || type === 'TimerMoved' || type === 'SagaMigrated')
  const { state, events, children } = turn
  return { state, events, messages, tells, children, reports: reported(turn), disposition: noted ? 'noted' : 'applied' }
}

const take = (turn: Turn, input: SagaInput): ReactionRefused | undefined => {
  switch (input.kind) {
    case 'start':
      return void start(turn, input)
    case 'message':
      return void receive(turn, input.name, input.body)
    case 'operator':
      return operate(turn, input)
    case 'timer':
      return void timer(turn)
    case 'outcome': {
      const key = parseActionKey(input.key)
      const action = key && actionOf(turn.state, key)
      if (!key || !action) return void turn.note(`outcome of an unknown action: ${input.key.slice(0, 200)}`)
      // What an earlier round did is as true as what this one did; that it did not, or undid what was there then, is known no more.
      if (action.key !== input.key && (key.side === 'undo' || input.outcome.outcome !== 'succeeded'))
        return void turn.note(`outcome of an earlier round of ${key.step}`)
      return void turn.settle(key.step, key.side, input.outcome)
    }
  }
}

const start = (turn: Turn, input: SagaInput & { kind: 'start' }): void => {
  if (turn.state.phase !== 'new') return turn.note('it had started')
  const { definition, at } = turn
  const { early } = turn.state
  turn.emit({
    type: 'SagaStarted',
    data: {
      sagaId: input.sagaId,
      saga: definition.type,
      definition: definition.version,
      correlationKey: input.correlationKey,
      correlationId: input.context.correlationId,
      ...(input.context.traceparent === undefined ? {} : { traceparent: input.context.traceparent }),
      data: input.data,
      registered: definition.steps.filter((step) => !step.does && step.undo).map(({ name }) => name),
      ...(definition.onlyForward ? { onlyForward: true } : {}),
      ...(input.parent ? { parent: input.parent } : {}),
      at,
    },
  })
  turn.advance()
  for (const { name, body } of early) receive(turn, name, body)
}

const receive = (turn: Turn, name: string, body: JsonObject): void => {
  const { definition, at, state } = turn
  // Before the start it is kept: topics are not ordered among each other.
  if (state.phase === 'new') {
    if (state.early.length >= MOST_EARLY) return turn.note(`${MOST_EARLY} messages came before the start: ${name.slice(0, 100)}`)
    return turn.emit({ type: 'MessageReceived', data: { name, body, at } })
  }
  const waits = definition.steps.some(({ does }) => does?.kind === 'wait' && does.message === name)
  const directive = definition.on?.[name]?.(body, turn.saga)
  if (!waits && !directive) return turn.note(`not awaited: ${name.slice(0, 100)}`)
  // A message's patch is made of the data's own fields, which are JSON.
  const learned = directive?.learns as JsonObject | undefined
  turn.emit({ type: 'MessageReceived', data: { name, body, at, ...(learned ? { learned } : {}) } })
  for (const step of turn.state.current) {
    const { does } = turn.step(step)
    if (does?.kind === 'wait' && does.message === name) turn.settle(step, 'do', { outcome: 'succeeded', result: body })
  }
  if (directive?.settles) {
    const { step, ...outcome } = directive.settles
    turn.settle(step, 'do', outcome)
  }
  if (directive?.hastens !== undefined) turn.hasten(directive.hastens, 'do')
  // While the pivot is under way only its own outcome decides.
  const mayTurn = turn.state.phase === 'forward' && !turn.state.pastPivot && !turn.atPivot
  if (directive?.turnsBack !== undefined && mayTurn) turn.turnBack(turn.state.current[0] ?? '', directive.turnsBack)
}

const timer = (turn: Turn): void => {
  if (turn.state.phase === 'new') return turn.note('a timer before the start')
  const begun = turn.events.length
  for (const { step, side, action } of actionsOf(turn.state)) {
    const now = actionOf(turn.state, { step, side })
    if (action.status !== 'running' || now?.status !== 'running' || now.dueAt === undefined || now.dueAt > turn.at) continue
    if (now.kind === 'command') turn.repeat(step, side)
    else turn.close(step)
  }
  if (hasEnded(turn.state)) return turn.events.length === begun ? turn.note('a timer after the end') : undefined
  const timerAt = earliestDue(turn.state)
  turn.emit({ type: 'TimerMoved', data: { at: turn.at, ...(timerAt === undefined ? {} : { timerAt }) } })
}

const operate = (turn: Turn, input: SagaInput & { kind: 'operator' }): ReactionRefused | undefined => {
  const { state, at } = turn
  const { by, reason, operator } = input
  const acted = (more: Partial<Omit<OperatorAction & { action: 'resume' }, 'action' | 'told'>> = {}) =>
    turn.emit({ type: 'OperatorActed', data: { action: operator.action, by, reason, at, ...more } })
  const steps = turn.definition.steps.map(({ name }) => name)
  if ('step' in operator && operator.step !== undefined && !steps.includes(operator.step))
    return cannot(`it has no step ${operator.step.slice(0, 100)}; it has ${steps.join(', ')}`)
  switch (operator.action) {
    case 'retry': {
      const waiting = attentionsOf(state).filter(({ step }) => operator.step === undefined || step === operator.step)
      if (waiting.length === 0) return cannot(`${operator.step ?? 'it'} does not wait for an operator`)
      acted(operator.step === undefined ? {} : { step: operator.step })
      for (const { step, side } of waiting) {
        const action = actionOf(state, { step, side })
        // Another call only for what the other side refused, and would again. A person's word may be wrong: the same call has one effect all the same.
        turn.begin(step, side, (action?.round ?? 1) + (action?.status === 'refused' && action.by === undefined ? 1 : 0))
      }
      return
    }
    case 'compensate': {
      if (state.phase !== 'forward') return cannot('it does not go forward')
      if (state.pastPivot || turn.atPivot) return cannot('past its pivot a saga only goes forward')
      acted()
      turn.turnBack(state.current[0] ?? '', 'operator', reason)
      return
    }
    case 'migrate': {
      const { definition } = turn
      const { to } = operator
      if (definition.version !== to) return cannot(`there is no v${to} of ${state.type}`)
      if (hasEnded(state)) return cannot('it has ended')
      if (state.definition === to) return cannot(`it is on v${to}`)
      const misfit = misfitOf(definition, state)
      if (misfit !== undefined) return cannot(`v${to} does not fit: ${misfit}`)
      acted()
      return void move(turn)
    }
    case 'resume': {
      const { step, outcome, evidence, told = {} } = operator
      const side = attentionsOf(state).find((each) => each.step === step)?.side ?? 'do'
      if (actionOf(state, { step, side })?.status === undefined) return cannot(`${step} has not begun`)
      if (actionOf(state, { step, side })?.status === 'succeeded') return cannot(`${step} has succeeded`)
      if (outcome === 'refused') {
        acted({ step, outcome, evidence })
        turn.settle(step, side, { outcome, slug: 'operator', detail: evidence }, by)
        return
      }
      const made = turn.action(step, side)?.byHand?.(told, turn.saga) ?? { result: {} }
      if ('lacks' in made)
        return { ...cannot(`${step} needs ${made.lacks.join(', ')} to be settled`), slug: 'invalid-input', lacks: made.lacks }
      acted({ step, outcome, evidence })
      turn.settle(step, side, { outcome, result: made.result }, by)
      return
    }
  }
}

/** Goes on under the turn's definition, with the data that it makes of what the version before knew. */
const move = (turn: Turn): void => {
  const { definition, state, at } = turn
  const data = definition.migrates?.(state.data, state.definition)
  turn.emit({ type: 'SagaMigrated', data: { from: state.definition, to: definition.version, at, ...(data ? { data } : {}) } })
}

const cannot = (detail: string): ReactionRefused => ({ disposition: 'refused', slug: 'invalid-transition', detail })

const tell = (turn: Turn): readonly Tell[] => {
  if (turn.state.phase === 'new') return []
  const tells = (turn.definition.tells?.(turn.saga) ?? []).filter(({ id }) => !turn.state.told.includes(id))
  for (const tell of tells)
    turn.emit({ type: 'ToldSaga', data: { id: tell.id, to: tell.to, at: turn.at, ...('name' in tell ? { name: tell.name } : {}) } })
  return tells
}

/** A saga that is another's step tells it each time it comes to an end: what was undone late is undone again, and said again. */
const reported = (turn: Turn): readonly Report[] => {
  const { parent, failure } = turn.state
  if (!parent) return []
  return turn.events.flatMap(({ type }): Report[] => {
    if (type === 'SagaCompleted')
      return [{ ...parent, outcome: { outcome: 'succeeded', result: turn.definition.results?.(turn.saga) ?? {} } }]
    if (type !== 'SagaCompensated') return []
    return [{ ...parent, outcome: { outcome: 'refused', slug: failure?.reason ?? 'compensated', detail: failure?.detail ?? '' } }]
  })
}

const published = (turn: Turn, before: SagaState, version: number): readonly OutgoingMessage[] => {
  if (turn.state.phase === 'new' || turn.events.length === 0) return []
  const was = before.phase === 'new' ? undefined : viewOf(before)
  return turn.definition.publishes?.(turn.saga, was, { version, at: turn.at, context: ownContext(turn.state, turn.input.context) }) ?? []
}
