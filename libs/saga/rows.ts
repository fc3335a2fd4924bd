import type { AnySaga } from './definition.js'
import { actionsOf, attentionsOf, hasEnded, statusOf, type SagaState } from './state.js'
import { TIMER, type SagaInstance, type SagaTask } from './store.js'
import { viewOf } from './turn.js'

/** Of what a row says that a saga waits for. */
const MOST_CHARACTERS = 500

/** A saga's row for lists, from its state. Pure. */
export const rowOf = (definition: AnySaga, state: SagaState, version: number): SagaInstance => {
  const waitingFor = waitOf(definition, state)
  return {
    id: state.id,
    type: state.type,
    definition: state.definition,
    correlationKey: state.correlationKey,
    status: statusOf(state),
    ...(state.current.length === 0 ? {} : { step: state.current.join(', ') }),
    ...(waitingFor === undefined ? {} : { waitingFor }),
    version,
    startedAt: state.startedAt,
    updatedAt: state.updatedAt,
  }
}

const waitOf = (definition: AnySaga, state: SagaState): string | undefined => {
  if (hasEnded(state)) return undefined
  const attentions = attentionsOf(state).map(({ step, side, why }) => `operator: ${step}${side === 'undo' ? ' (undo)' : ''}: ${why}`)
  if (attentions.length > 0) return attentions.join('; ').slice(0, MOST_CHARACTERS)
  const running = actionsOf(state).filter(({ action }) => action.status === 'running')
  const what = running.map(({ step, side, action }) => {
    const undo = side === 'undo' ? ' (undo)' : ''
    if (action.kind === 'command') return `answer to ${step}${undo}`
    if (action.kind === 'saga') return `end of the saga of ${step}${undo}`
    if (action.kind === 'activity') return `${action.unknown === undefined ? 'outcome' : 'unknown outcome'} of ${step}${undo}`
    const wait = definition.steps.find(({ name }) => name === step)?.does
    return `message ${wait?.kind === 'wait' ? wait.message : step}`
  })
  return what.length === 0 ? undefined : what.join(', ').slice(0, MOST_CHARACTERS)
}

/** What must change in the task table so that it holds what the states after ask for. Rows that stay as they are keep their lease. */
export const taskChanges = (
  changes: readonly { before: SagaState; after: SagaState; definition: AnySaga }[],
): { tasks: SagaTask[]; removed: Pick<SagaTask, 'sagaId' | 'name'>[] } => {
  const tasks: SagaTask[] = []
  const removed: Pick<SagaTask, 'sagaId' | 'name'>[] = []
  for (const { before, after, definition } of changes) {
    const had = new Map(asked(before).map((task) => [task.name, task]))
    for (const task of asked(after)) {
      const old = had.get(task.name)
      had.delete(task.name)
      if (old?.dueAt !== task.dueAt || old.attempt !== task.attempt) tasks.push(taskOf(definition, after, task))
    }
    for (const name of had.keys()) removed.push({ sagaId: after.id, name })
  }
  return { tasks, removed }
}

interface Asked {
  readonly name: string
  readonly dueAt: number
  readonly attempt: number
  readonly of?: ReturnType<typeof actionsOf>[number]
}

const asked = (state: SagaState): readonly Asked[] => [
  ...(state.timerAt === undefined ? [] : [{ name: TIMER, dueAt: state.timerAt, attempt: 0 }]),
  ...actionsOf(state).flatMap((of) =>
    of.action.status === 'running' && of.action.runAt !== undefined
      ? [{ name: of.action.key, dueAt: of.action.runAt, attempt: of.action.attempts + 1, of }]
      : [],
  ),
]

const taskOf = (definition: AnySaga, state: SagaState, { name, dueAt, attempt, of }: Asked): SagaTask => {
  const task = { sagaId: state.id, name, dueAt, correlationId: state.correlationId }
  if (!of) return task
  const step = definition.steps.find((each) => each.name === of.step)
  const action = of.side === 'do' ? step?.does : step?.undo
  if (action?.kind !== 'activity') throw new Error(`${definition.type} v${definition.version}: ${of.step} is no activity`)
  const { traceparent } = state
  const run = {
    activity: action.activity,
    attempt,
    input: action.input(viewOf(state)),
    startedAt: of.action.startedAt,
    ...(traceparent === undefined ? {} : { traceparent }),
  }
  return { ...task, run }
}
