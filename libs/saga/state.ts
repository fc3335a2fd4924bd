import type { EventTypes, StreamType } from '#event-store'
import type { JsonObject, MessageContext } from '#kernel'
import { sameTrace } from '#tracing'
import { sagaEvents } from './event-types.js'
import type { Side } from './ids.js'

/** `RUNNING` works by itself; `WAITING` waits for a person, a provider or a time; `NEEDS_ATTENTION` waits for an operator. */
export type SagaStatus = 'RUNNING' | 'WAITING' | 'COMPENSATING' | 'COMPLETED' | 'COMPENSATED' | 'NEEDS_ATTENTION'

export type ActionKind = 'command' | 'activity' | 'wait' | 'saga'

/**
 * - `running`: it went out and has no outcome yet. `interrupted`: the saga turned back before it had one; it may still have one.
 * - `expired`: its time was over. It is not known to have failed.
 */
export type ActionStatus = 'running' | 'succeeded' | 'refused' | 'expired' | 'interrupted'

/** One step's action, or its compensation, as it stands. Times are milliseconds since the epoch. */
export interface ActionState {
  readonly kind: ActionKind
  readonly status: ActionStatus
  /** Of the command message, or the activity's idempotency key. */
  readonly key: string
  /** Counts from 1; an operator's retry of what the other side refused, and a compensation done again, are another round. */
  readonly round: number
  /** Sendings of a command, runs of an activity that ended unknown, in this round. */
  readonly attempts: number
  readonly startedAt: number
  readonly endedAt?: number
  /** When its timer is due: sent again, or over. */
  readonly dueAt?: number
  /** When the activity runs (again). */
  readonly runAt?: number
  /** What the last run that settled nothing came to. */
  readonly unknown?: string
  /** Its window is over, and it is asked for the last time. */
  readonly closing?: true
  /** Of an undo: what it undoes happened after all while it was under way, so that it may not have seen it. */
  readonly overtaken?: true
  readonly slug?: string
  readonly detail?: string
  /** Who said that it was refused, where only a person did: the other side may have done it, or do it yet. */
  readonly by?: string
  /** It waits for an operator. Several actions of a saga may, each for its own reason. */
  readonly attention?: { readonly why: string; readonly since: number }
}

/** An action that waits for an operator. `since` in milliseconds since the epoch. */
export interface Attention {
  readonly step: string
  readonly side: Side
  readonly why: string
  readonly since: number
}

export interface SagaState {
  /** Empty before the start: messages may come before it. */
  readonly type: string
  readonly definition: number
  readonly id: string
  readonly correlationKey: string
  readonly correlationId: string
  /** Of its start: the trace that everything it does belongs to. */
  readonly traceparent?: string
  readonly phase: 'new' | 'forward' | 'back' | 'completed' | 'compensated'
  readonly data: JsonObject
  /** The steps that go forward now: one, and those beside it. */
  readonly current: readonly string[]
  readonly pastPivot: boolean
  readonly steps: Readonly<Record<string, ActionState>>
  /** Steps whose compensation is due should the saga turn back, in the order of their registration. */
  readonly registered: readonly string[]
  readonly undos: Readonly<Record<string, ActionState>>
  readonly failure?: { readonly step: string; readonly reason: string; readonly detail?: string }
  /** Messages that came before the start, in their order: the start takes them in one by one. */
  readonly early: readonly { readonly name: string; readonly body: JsonObject }[]
  /** Data of messages that came since, by name, the last of each: a wait that begins later finds its message here. */
  readonly messages: Readonly<Record<string, JsonObject>>
  /** The saga whose step this one is. */
  readonly parent?: { readonly sagaId: string; readonly key: string }
  /** Ids of what was told to other sagas. */
  readonly told: readonly string[]
  /** When this saga's one timer row is due. */
  readonly timerAt?: number
  readonly startedAt: number
  readonly updatedAt: number
}

type Of<Type extends string, Data> = { readonly type: Type; readonly data: Data & { readonly at: number } }
type Action = { readonly step: string; readonly side: Side }
type Started = Action & {
  readonly kind: ActionKind
  readonly key: string
  readonly round: number
  readonly dueAt?: number
  readonly runAt?: number
}

export type SagaEvent =
  | Of<
      'SagaStarted',
      {
        readonly sagaId: string
        readonly saga: string
        readonly definition: number
        readonly correlationKey: string
        readonly correlationId: string
        readonly traceparent?: string
        readonly data: JsonObject
        readonly registered: readonly string[]
        readonly onlyForward?: boolean
        readonly parent?: { readonly sagaId: string; readonly key: string }
      }
    >
  /** The step begins and, in the same breath, its compensation is registered: a call that times out may have happened. */
  | Of<'StepStarted', Started & { readonly compensated: boolean; readonly beside?: boolean }>
  | Of<'UndoStarted', Started>
  /** A command goes out again, under the same id. */
  | Of<'CommandRepeated', Action & { readonly dueAt: number }>
  | Of<'OutcomeUnknown', Action & { readonly detail: string; readonly runAt: number; readonly learned?: JsonObject }>
  | Of<'ActionSucceeded', Action & { readonly learned?: JsonObject; readonly pivot?: boolean; readonly by?: string }>
  | Of<'ActionRefused', Action & { readonly slug: string; readonly detail: string; readonly learned?: JsonObject; readonly by?: string }>
  /** The window is over: one more run, now, and until `dueAt` at most. */
  | Of<'WindowClosed', { readonly step: string; readonly runAt: number; readonly dueAt: number }>
  | Of<'StepExpired', { readonly step: string }>
  | Of<'CompensationBegun', { readonly step: string; readonly reason: string; readonly detail?: string }>
  /** What was interrupted or given up happened after all. */
  | Of<'LateSuccess', { readonly step: string; readonly learned?: JsonObject; readonly by?: string }>
  /** An activity that waits for its next run has reason to run now. */
  | Of<'ActivityHastened', Action & { readonly runAt: number }>
  | Of<'MessageReceived', { readonly name: string; readonly body: JsonObject; readonly learned?: JsonObject }>
  /** An input that changes nothing, and why: nothing is dropped silently. */
  | Of<'InputNoted', { readonly input: string; readonly why: string }>
  | Of<'AttentionNeeded', Action & { readonly why: string }>
  | Of<
      'OperatorActed',
      {
        readonly action: 'retry' | 'compensate' | 'resume' | 'migrate'
        readonly by: string
        readonly reason: string
        readonly step?: string
        readonly outcome?: string
        readonly evidence?: string
      }
    >
  | Of<'ToldSaga', { readonly id: string; readonly to: string; readonly name?: string }>
  /** `data` is what the new version makes of what the old one knew. */
  | Of<'SagaMigrated', { readonly from: number; readonly to: number; readonly data?: JsonObject }>
  | Of<'TimerMoved', { readonly timerAt?: number }>
  | Of<'SagaCompleted', unknown>
  | Of<'SagaCompensated', unknown>

export const NEW_SAGA: SagaState = {
  type: '',
  definition: 0,
  id: '',
  correlationKey: '',
  correlationId: '',
  phase: 'new',
  data: {},
  current: [],
  pastPivot: false,
  steps: {},
  registered: [],
  undos: {},
  early: [],
  messages: {},
  told: [],
  startedAt: 0,
  updatedAt: 0,
}

/** Needs no definition: events carry what the definition decided, so old streams read the same under any newer code. */
export const evolve = (before: SagaState, event: SagaEvent): SagaState => {
  const state = { ...before, updatedAt: event.data.at }
  switch (event.type) {
    case 'SagaStarted': {
      const { sagaId, saga, definition, correlationKey, correlationId, traceparent, data, registered, onlyForward, parent, at } = event.data
      const start = {
        id: sagaId,
        type: saga,
        definition,
        correlationKey,
        correlationId,
        registered,
        early: [],
        startedAt: at,
        ...(traceparent !== undefined && { traceparent }),
        ...(parent && { parent }),
      }
      return { ...state, ...start, phase: 'forward', pastPivot: onlyForward === true, data: { ...data, ...state.data } }
    }
    case 'StepStarted': {
      const { step, compensated, beside } = event.data
      const registered = compensated && !state.registered.includes(step) ? [...state.registered, step] : state.registered
      const again = state.current.includes(step)
      return started({ ...state, current: again ? state.current : beside ? [...state.current, step] : [step], registered }, event.data)
    }
    case 'UndoStarted':
      return started(state, event.data)
    case 'CommandRepeated':
      return withTimer(
        change(state, event.data, (action) => ({ ...action, attempts: action.attempts + 1, dueAt: event.data.dueAt })),
        event.data.dueAt,
      )
    case 'OutcomeUnknown': {
      const { detail, runAt } = event.data
      const next = change(state, event.data, (action) => ({ ...action, attempts: action.attempts + 1, unknown: detail, runAt }))
      return learn(next, event.data.learned)
    }
    case 'ActionSucceeded': {
      const next = ended(state, event.data, { status: 'succeeded' }, event.data.at)
      return learn(event.data.pivot ? { ...next, pastPivot: true } : next, event.data.learned)
    }
    case 'ActionRefused': {
      const { slug, detail, by } = event.data
      const before = actionOf(state, event.data)
      // What the other side refused it has refused, whatever a person says of it afterwards.
      const said = by === undefined || (before?.status === 'refused' && before.by === undefined) ? {} : { by }
      return learn(ended(state, event.data, { status: 'refused', slug, detail, ...said }, event.data.at), event.data.learned)
    }
    case 'WindowClosed': {
      const { step, runAt, dueAt } = event.data
      return withTimer(
        change(state, { step, side: 'do' }, (action) => ({ ...action, closing: true, runAt, dueAt })),
        dueAt,
      )
    }
    case 'StepExpired':
      return ended(state, { step: event.data.step, side: 'do' }, { status: 'expired' }, event.data.at)
    case 'CompensationBegun': {
      const { step, reason, detail, at } = event.data
      const failure = { step, reason, ...(detail === undefined ? {} : { detail }) }
      // What went forward is given up: nobody need look at it any more.
      return { ...state, steps: settledAll(interrupted(state, at).steps), phase: 'back', failure, current: [] }
    }
    case 'LateSuccess': {
      const late = change(state, { step: event.data.step, side: 'do' }, (action) => ({
        ...without(action, 'dueAt', 'runAt', 'attention'),
        status: 'succeeded',
        endedAt: event.data.at,
      }))
      const undo = state.undos[event.data.step]
      const overtaken = undo?.status === 'running' && isUnderWay(undo, event.data.at)
      const back = overtaken ? change(late, { step: event.data.step, side: 'undo' }, (action) => ({ ...action, overtaken })) : late
      return learn({ ...back, phase: 'back' }, event.data.learned)
    }
    case 'ActivityHastened':
      return change(state, event.data, (action) => ({ ...action, runAt: event.data.runAt }))
    case 'MessageReceived': {
      const { name, body, learned } = event.data
      if (state.phase === 'new') return { ...state, early: [...state.early, { name, body }] }
      return learn({ ...state, messages: { ...state.messages, [name]: body } }, learned)
    }
    case 'AttentionNeeded': {
      const attention = { why: event.data.why, since: event.data.at }
      return change(state, event.data, (action) => ({ ...without(action, 'dueAt', 'runAt'), attention }))
    }
    case 'ToldSaga':
      return { ...state, told: [...state.told, event.data.id] }
    case 'TimerMoved':
      return event.data.timerAt === undefined ? without(state, 'timerAt') : { ...state, timerAt: event.data.timerAt }
    case 'SagaMigrated':
      return { ...state, definition: event.data.to, ...(event.data.data ? { data: event.data.data } : {}) }
    case 'SagaCompleted':
      return without({ ...state, phase: 'completed', steps: settledAll(state.steps), current: [] }, 'timerAt')
    case 'SagaCompensated':
      return without({ ...state, phase: 'compensated', current: [] }, 'timerAt')
    case 'InputNoted':
    case 'OperatorActed':
      return state
  }
}

/** All sagas of all types are one kind of stream: `saga-<id>`. */
export const sagaStream: StreamType<SagaState, SagaEvent> & { readonly events: EventTypes } = {
  category: 'saga',
  initialState: NEW_SAGA,
  evolve,
  // What comes late brings it back, and is refunded or noted as ever.
  closed: (state) => hasEnded(state),
  events: sagaEvents,
  snapshotEvery: 100,
  source: import.meta.url,
}

export const statusOf = (state: SagaState): SagaStatus => {
  if (state.phase === 'completed') return 'COMPLETED'
  if (state.phase === 'compensated') return 'COMPENSATED'
  if (attentionsOf(state).length > 0) return 'NEEDS_ATTENTION'
  if (state.phase === 'back') return 'COMPENSATING'
  const running = state.current.flatMap((step) => state.steps[step] ?? []).filter(({ status }) => status === 'running')
  return running.length > 0 && running.every(({ kind, unknown }) => kind === 'wait' || unknown !== undefined) ? 'WAITING' : 'RUNNING'
}

export const hasEnded = (state: SagaState): boolean => state.phase === 'completed' || state.phase === 'compensated'

export const actionOf = (state: SagaState, { step, side }: Action): ActionState | undefined =>
  side === 'do' ? state.steps[step] : state.undos[step]

/** Every action there is, the compensations behind the steps. */
export const actionsOf = (state: SagaState): readonly (Action & { readonly action: ActionState })[] => [
  ...Object.entries(state.steps).map(([step, action]) => ({ step, side: 'do' as const, action })),
  ...Object.entries(state.undos).map(([step, action]) => ({ step, side: 'undo' as const, action })),
]

/** All that waits for an operator, in the order of the steps, the compensations behind them. */
export const attentionsOf = (state: SagaState): readonly Attention[] =>
  actionsOf(state).flatMap(({ step, side, action: { attention } }) => (attention ? [{ step, side, ...attention }] : []))

/** When the saga's timer must be due: the earliest of its running actions'. */
export const earliestDue = (state: SagaState): number | undefined =>
  actionsOf(state).reduce<number | undefined>(
    (least, { action }) =>
      action.status !== 'running' || action.dueAt === undefined || (least !== undefined && least <= action.dueAt) ? least : action.dueAt,
    undefined,
  )

/** An activity that is due, or runs: to be asked now it would have to be run beside itself. */
export const isUnderWay = ({ attempts, runAt }: ActionState, at: number): boolean => runAt !== undefined && (attempts === 0 || runAt <= at)

const change = (state: SagaState, { step, side }: Action, by: (action: ActionState) => ActionState): SagaState => {
  const action = actionOf(state, { step, side })
  if (!action) return state
  return side === 'do'
    ? { ...state, steps: { ...state.steps, [step]: by(action) } }
    : { ...state, undos: { ...state.undos, [step]: by(action) } }
}

const started = (state: SagaState, { step, side, kind, key, round, dueAt, runAt, at }: Started & { at: number }): SagaState => {
  const times = { startedAt: at, ...(dueAt === undefined ? {} : { dueAt }), ...(runAt === undefined ? {} : { runAt }) }
  const action: ActionState = { kind, status: 'running', key, round, attempts: kind === 'command' ? 1 : 0, ...times }
  const actions = { ...(side === 'do' ? state.steps : state.undos), [step]: action }
  return withTimer(side === 'do' ? { ...state, steps: actions } : { ...state, undos: actions }, dueAt)
}

const ended = (state: SagaState, of: Action, outcome: Pick<ActionState, 'status' | 'slug' | 'detail' | 'by'>, at: number): SagaState =>
  change(state, of, (action) => ({ ...without(action, 'dueAt', 'runAt', 'attention', 'by'), ...outcome, endedAt: at }))

const interrupted = (before: SagaState, at: number): SagaState =>
  before.current.reduce(
    (state, step) =>
      change(state, { step, side: 'do' }, (action) =>
        action.status === 'running' ? { ...without(action, 'dueAt', 'runAt'), status: 'interrupted', endedAt: at } : action,
      ),
    before,
  )

const settledAll = (actions: SagaState['steps']): SagaState['steps'] =>
  Object.fromEntries(Object.entries(actions).map(([step, action]) => [step, without(action, 'attention')]))

const learn = (state: SagaState, learned: JsonObject | undefined): SagaState =>
  learned === undefined ? state : { ...state, data: { ...state.data, ...learned } }

const withTimer = (state: SagaState, dueAt: number | undefined): SagaState =>
  dueAt === undefined || (state.timerAt !== undefined && state.timerAt <= dueAt) ? state : { ...state, timerAt: dueAt }

const without = <T extends object, K extends keyof T>(value: T, ...keys: readonly K[]): Omit<T, K> & T => {
  const copy = { ...value }
  for (const key of keys) delete copy[key]
  return copy
}

/** Of what a saga sends: its own business transaction, and its own trace, also where a webhook, an operator or a timer led to it. */
export const ownContext = ({ correlationId, traceparent: own }: SagaState, { traceparent, ...context }: MessageContext): MessageContext => {
  const kept = own === undefined || sameTrace(traceparent, own) ? traceparent : own
  return { ...context, correlationId, ...(kept === undefined ? {} : { traceparent: kept }) }
}
