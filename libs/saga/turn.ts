import { createHash } from 'node:crypto'
import type { JsonObject, OutgoingMessage } from '#kernel'
import { stagesOf, type Action, type AnySaga, type Saga, type Step } from './definition.js'
import { actionKey, type Side } from './ids.js'
import type { ActivityOutcome, SagaInput } from './input.js'
import { actionOf, evolve, hasEnded, isUnderWay, ownContext, statusOf, type SagaEvent, type SagaState } from './state.js'

const REPEAT_MOST_MS = 5 * 60_000

/** How long the last run of an activity whose window is over may take, a dead worker's lease included. */
const CLOSING_MS = 15_000

/** A saga to start as a step of this one; `key` is the step's, and is the child's correlation key too. */
export interface Child {
  readonly type: string
  readonly key: string
  readonly data: JsonObject
}

/** One input's turn at a saga: events are made one by one, and each is folded in before the next is thought of. Pure. */
export class Turn {
  readonly events: SagaEvent[] = []
  readonly messages: OutgoingMessage[] = []
  readonly children: Child[] = []
  state: SagaState

  constructor(
    readonly definition: AnySaga,
    before: SagaState,
    readonly input: SagaInput,
    readonly at: number,
  ) {
    this.state = before
  }

  emit(event: SagaEvent): void {
    this.events.push(event)
    this.state = evolve(this.state, event)
  }

  note(why: string): void {
    this.emit({ type: 'InputNoted', data: { input: this.input.kind, why, at: this.at } })
  }

  get saga(): Saga<JsonObject> {
    return viewOf(this.state)
  }

  step(name: string): Step<JsonObject> {
    const step = this.definition.steps.find((each) => each.name === name)
    if (!step) throw new Error(`${this.definition.type} v${this.definition.version} has no step ${name}`)
    return step
  }

  /** While the pivot is under way only its own outcome decides. */
  get atPivot(): boolean {
    return this.state.current.some((name) => this.step(name).pivot)
  }

  action(step: string, side: Side): Action<JsonObject> | undefined {
    return side === 'do' ? this.step(step).does : this.step(step).undo
  }

  /** Lets a step's action, or its compensation, go out. */
  begin(name: string, side: Side, round = 1): void {
    this.#start(name, side, round)
    this.#takeWhatCame(name)
  }

  #start(name: string, side: Side, round: number, beside = false): void {
    const action = this.action(name, side)
    if (!action) return
    const { at } = this
    const key = actionKey({ sagaId: this.state.id, step: name, side, round })
    const dueAt = firstDue(action, side, at)
    const common = { step: name, side, kind: action.kind, key, round, at, ...(dueAt === undefined ? {} : { dueAt }) }
    const started = action.kind === 'activity' ? { ...common, runAt: at } : common
    if (side === 'undo') this.emit({ type: 'UndoStarted', data: started })
    else
      this.emit({
        type: 'StepStarted',
        data: { ...started, compensated: this.step(name).undo !== undefined, ...(beside ? { beside } : {}) },
      })
    if (action.kind === 'command') this.send(action, key)
    if (action.kind === 'saga') this.children.push({ type: action.type, key, data: action.data(this.saga) })
  }

  /** A message that came before its wait began. */
  #takeWhatCame(name: string): void {
    const { does } = this.step(name)
    const come = does?.kind === 'wait' && this.state.steps[name]?.status === 'running' ? this.state.messages[does.message] : undefined
    if (come) this.settle(name, 'do', { outcome: 'succeeded', result: come })
  }

  /** Goes on, once all that runs side by side is done: to the next step and those beside it, or to the end. */
  advance(): void {
    const { state, at } = this
    if (hasEnded(state) || state.phase === 'new') return
    if (state.phase === 'back') {
      if (Object.values(state.undos).every(({ status }) => status === 'succeeded')) this.emit({ type: 'SagaCompensated', data: { at } })
      return
    }
    if (state.current.some((name) => state.steps[name]?.status !== 'succeeded')) return
    const stages = stagesOf(this.definition)
    const from = stages.findIndex((stage) => stage.some(({ name }) => state.current.includes(name))) + 1
    for (const stage of stages.slice(from)) {
      const next = stage.filter(({ when }) => when?.(state.data) ?? true)
      if (next.length === 0) continue
      for (const [nth, { name }] of next.entries()) this.#start(name, 'do', 1, nth > 0)
      for (const { name } of next) this.#takeWhatCame(name)
      return
    }
    this.emit({ type: 'SagaCompleted', data: { at } })
  }

  /** The outcome of an action, from whoever knows it. */
  settle(name: string, side: Side, outcome: ActivityOutcome, by?: string): void {
    const action = actionOf(this.state, { step: name, side })
    if (!action) return this.note(`${name} has not begun`)
    if (action.status === 'succeeded') return this.note(`${name} (${side}) had succeeded`)
    if (side === 'undo') return this.#settleUndo(name, outcome, by)
    if (this.state.phase === 'forward' && this.state.current.includes(name)) return this.#settleStep(name, outcome, by)
    if (outcome.outcome === 'succeeded') return this.#lateSuccess(name, outcome.result, by)
    this.note(`${name} is given up; late outcome: ${outcome.outcome}`)
  }

  turnBack(step: string, reason: string, detail?: string): void {
    this.emit({ type: 'CompensationBegun', data: { step, reason, at: this.at, ...(detail === undefined ? {} : { detail }) } })
    // A refusal says that it did not happen; everything else may have.
    const due = this.state.registered.filter((name) => this.state.steps[name]?.status !== 'refused')
    for (const name of [...due].reverse()) this.begin(name, 'undo')
    this.advance()
  }

  callOperator(step: string, side: Side, why: string): void {
    this.emit({ type: 'AttentionNeeded', data: { step, side, why, at: this.at } })
  }

  /** Before an activity is given up it is asked once more: what happened while nobody could ask is not lost. */
  close(name: string): void {
    const { at } = this
    const action = this.state.steps[name]
    if (!action || action.closing || action.kind !== 'activity') return this.expire(name)
    // Its first run, if that is yet to end, is the last one too: it is not run beside itself.
    const { runAt = at, attempts } = action
    this.emit({ type: 'WindowClosed', data: { step: name, runAt: attempts === 0 ? runAt : at, dueAt: at + CLOSING_MS, at } })
  }

  expire(name: string): void {
    this.emit({ type: 'StepExpired', data: { step: name, at: this.at } })
    const reason = this.step(name).expiredBecause
    if (reason === undefined || this.state.pastPivot) this.callOperator(name, 'do', 'its time is over')
    else this.turnBack(name, reason)
  }

  /** A command without an answer goes out again under its id, which gets it the same answer. */
  repeat(name: string, side: Side): void {
    const action = this.action(name, side)
    const state = actionOf(this.state, { step: name, side })
    if (action?.kind !== 'command' || !state) return
    if (state.attempts >= action.attempts) return this.callOperator(name, side, `no answer to ${state.attempts} sendings`)
    const pause_ms = Math.min(action.repeatAfter_ms * 2 ** state.attempts, REPEAT_MOST_MS)
    this.emit({ type: 'CommandRepeated', data: { step: name, side, dueAt: this.at + pause_ms, at: this.at } })
    this.send(action, state.key)
  }

  send(action: Action<JsonObject> & { kind: 'command' }, id: string): void {
    this.messages.push(action.message(this.saga, { id, replyTo: this.state.id, context: ownContext(this.state, this.input.context) }))
  }

  #settleStep(name: string, outcome: ActivityOutcome, by?: string): void {
    const step = this.step(name)
    const learned = this.#learns(name, 'do', outcome)
    if (outcome.outcome === 'unknown') return this.#unknown(name, 'do', outcome, learned)
    const of = { step: name, side: 'do' as const, at: this.at, ...learned, ...(by === undefined ? {} : { by }) }
    if (outcome.outcome === 'refused') {
      const { slug, detail } = outcome
      this.emit({ type: 'ActionRefused', data: { ...of, slug, detail } })
      if (this.state.pastPivot) return this.callOperator(name, 'do', `refused: ${slug}`)
      const { refusedBecause = slug } = step
      const reason = typeof refusedBecause === 'string' ? refusedBecause : refusedBecause(slug, this.state.data)
      return this.turnBack(name, reason, detail)
    }
    this.emit({ type: 'ActionSucceeded', data: { ...of, ...(step.pivot ? { pivot: true } : {}) } })
    const objection = step.objects?.(this.state.data)
    if (objection === undefined) this.advance()
    else this.turnBack(name, objection)
  }

  #settleUndo(name: string, outcome: ActivityOutcome, by?: string): void {
    const learned = this.#learns(name, 'undo', outcome)
    if (outcome.outcome === 'unknown') return this.#unknown(name, 'undo', outcome, learned)
    const of = { step: name, side: 'undo' as const, at: this.at, ...learned, ...(by === undefined ? {} : { by }) }
    if (outcome.outcome === 'refused') {
      const { slug, detail } = outcome
      this.emit({ type: 'ActionRefused', data: { ...of, slug, detail } })
      return this.callOperator(name, 'undo', `refused: ${slug}`)
    }
    const { overtaken, round } = this.state.undos[name] ?? { round: 0 }
    if (overtaken && by === undefined) {
      // What it saw may be older than what it was to undo: it looks again, and that it learned this is forgotten.
      this.emit({ type: 'ActionSucceeded', data: { step: name, side: 'undo', at: this.at } })
      return this.begin(name, 'undo', round + 1)
    }
    this.emit({ type: 'ActionSucceeded', data: of })
    this.advance()
  }

  #unknown(name: string, side: Side, outcome: ActivityOutcome & { outcome: 'unknown' }, learned: { learned?: JsonObject }): void {
    const action = this.action(name, side)
    const state = actionOf(this.state, { step: name, side })
    if (action?.kind !== 'activity' || state?.status !== 'running') return this.note(`${name} (${side}) is over; late outcome: unknown`)
    const pause_ms = outcome.retryAfter_ms ?? Math.min(action.backoff.first_ms * 2 ** state.attempts, action.backoff.most_ms)
    const runAt = this.at + Math.round(pause_ms * jitter(state.key, state.attempts))
    this.emit({ type: 'OutcomeUnknown', data: { step: name, side, detail: outcome.detail, runAt, at: this.at, ...learned } })
    if (state.closing) return this.expire(name)
    if (state.dueAt === undefined && state.attempts + 1 >= action.attempts)
      this.callOperator(name, side, `unknown after ${action.attempts} runs`)
  }

  /** It happened after the saga had turned back: whatever compensated it must look again. */
  #lateSuccess(name: string, result: JsonObject, by?: string): void {
    if (this.state.phase === 'completed') return this.note(`late success of ${name}, which leaves nothing to undo`)
    const { type, version, steps } = this.definition
    // A version that an ended saga was moved to need not have the step.
    if (!steps.some((step) => step.name === name && step.undo))
      return this.note(`late success of ${name}: ${type} v${version} does not undo it`)
    const learned = this.#learns(name, 'do', { outcome: 'succeeded', result })
    this.emit({ type: 'LateSuccess', data: { step: name, at: this.at, ...learned, ...(by === undefined ? {} : { by }) } })
    const undo = this.state.undos[name]
    if (!undo) return this.begin(name, 'undo')
    if (undo.status !== 'running') return this.begin(name, 'undo', undo.round + 1)
    this.hasten(name, 'undo')
  }

  /**
   * An activity that was asked and waits for its next run runs now. One that is due, or under way, is left alone: due again it would be run beside
   * itself, and two first runs may both do it. What it learns too early the run after it learns.
   */
  hasten(step: string, side: Side): void {
    const { at } = this
    const action = actionOf(this.state, { step, side })
    if (action?.runAt === undefined) return
    if (isUnderWay(action, at)) return this.note(`${step} (${side}) is due or under way`)
    this.emit({ type: 'ActivityHastened', data: { step, side, runAt: at, at } })
  }

  #learns(name: string, side: Side, outcome: ActivityOutcome): { learned?: JsonObject } {
    const learns = this.action(name, side)?.learns
    const learned = learns && outcome.result ? learns(outcome.result, this.state.data, outcome.outcome) : undefined
    // A patch is made of the data's own fields, which are JSON.
    return learned === undefined || Object.keys(learned).length === 0 ? {} : { learned: learned as JsonObject }
  }
}

export const viewOf = (state: SagaState): Saga<JsonObject> => ({
  id: state.id,
  correlationKey: state.correlationKey,
  data: state.data,
  status: statusOf(state),
  ...(state.failure ? { failure: state.failure } : {}),
  succeeded: (step) => state.steps[step]?.status === 'succeeded',
  startedAt: state.startedAt,
  updatedAt: state.updatedAt,
})

const firstDue = (action: Action<JsonObject>, side: Side, at: number): number | undefined => {
  if (action.kind === 'command') return at + action.repeatAfter_ms
  if (action.kind === 'wait') return at + action.window_ms
  if (action.kind === 'saga') return undefined
  return side === 'do' && action.window_ms !== undefined ? at + action.window_ms : undefined
}

/** 0.75 to 1.25, drawn from the key: spread out, and the same when the same turn is thought through again. */
const jitter = (key: string, attempt: number): number =>
  0.75 + createHash('sha256').update(`${key} ${attempt}`).digest().readUInt16BE(0) / 0x1_0000 / 2
