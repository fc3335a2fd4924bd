import type { JsonObject } from '#kernel'
import { stagesOf, type AnySaga, type Step } from './definition.js'

/** A definition as a Mermaid flow chart: the steps downwards, side by side where they run so, what turns it back, and each compensation beside its step. */
export const mermaidOf = (definition: AnySaga): string => {
  const { steps } = definition
  const lines = ['flowchart TD']
  const stages = stagesOf(definition)
  for (const step of steps) lines.push(`  ${id(step)}${shape(step)}`)
  stages.forEach((stage, index) => {
    const next = stages[index + 1]
    const to = next ? next.map(id).join(' & ') : 'completed([COMPLETED])'
    lines.push(`  ${stage.map(id).join(' & ')} --> ${to}`)
  })
  for (const step of steps) {
    if (step.undo)
      lines.push(`  undo_${id(step)}["undo ${step.name}<br/>${step.undo.kind}"]`, `  ${id(step)} -. registered .-> undo_${id(step)}`)
  }
  const pivot = stages.findIndex((stage) => stage.some((step) => step.pivot))
  stages.forEach((stage, index) => {
    const back = !definition.onlyForward && (pivot < 0 || index <= pivot)
    for (const step of stage) {
      const why = [
        ...(typeof step.refusedBecause === 'string' ? [step.refusedBecause] : ['refused']),
        ...(step.expiredBecause ? [step.expiredBecause] : []),
      ]
      lines.push(`  ${id(step)} -- ${why.join(' / ')} --> ${back ? 'compensate{{COMPENSATING}}' : 'attention{{NEEDS_ATTENTION}}'}`)
    }
  })
  if (!definition.onlyForward) lines.push('  compensate --> compensated([COMPENSATED])')
  return `${lines.join('\n')}\n`
}

const id = ({ name }: Step<JsonObject>): string => name.replaceAll('-', '_')

const shape = (step: Step<JsonObject>): string => {
  const text = `${step.name}${step.does ? `<br/>${step.does.kind}` : ''}${step.when ? '<br/>where needed' : ''}`
  if (step.pivot) return `{"${text}<br/>pivot"}`
  return step.does ? `["${text}"]` : `(["${text}"])`
}
