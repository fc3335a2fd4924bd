import { stagesOf, type AnySaga } from './definition.js'
import { actionsOf, type SagaState } from './state.js'

/**
 * Why an instance cannot go on under this definition; undefined: it can. What it has begun must be there, of the same kind while it is under
 * way, with what undoes it; and it must stand on the same side of the pivot. Pure.
 */
export const misfitOf = (definition: AnySaga, state: SagaState): string | undefined => {
  const steps = new Map(definition.steps.map((step) => [step.name, step]))
  for (const { step, side, action } of actionsOf(state)) {
    const found = steps.get(step)
    const declared = side === 'do' ? found?.does : found?.undo
    if (!declared) return `it has no ${step}${side === 'undo' ? ' (undo)' : ''}`
    if (action.status === 'running' && declared.kind !== action.kind)
      return `${step} is a ${declared.kind} there, and a ${action.kind} runs`
  }
  const bare = state.registered.find((name) => !steps.get(name)?.undo)
  if (bare !== undefined) return `nothing there undoes ${bare}`
  if (state.phase !== 'forward') return undefined
  const stages = stagesOf(definition)
  const places = state.current.map((name) => stages.findIndex((stage) => stage.some((step) => step.name === name)))
  const [place] = places
  if (place === undefined || places.some((each) => each !== place)) return `${state.current.join(' and ')} do not run side by side there`
  const pivot = stages.findIndex((stage) => stage.some((step) => step.pivot))
  const past = definition.onlyForward === true || (pivot >= 0 && place > pivot)
  if (past !== state.pastPivot) return `${state.current.join(', ')} is on the other side of the pivot there`
  return undefined
}
