import type { AnySaga, Step } from './definition.js'
import type { JsonObject } from '#kernel'

/** A definition as a Mermaid flow chart: the steps downwards, what turns it back, and each compensation beside its step. */
export const mermaidOf = ({ steps }: AnySaga): string => {
  const lines = ['flowchart TD']
  const forward = steps.filter(({ does }) => does)
  for (const step of steps) lines.push(`  ${id(step)}${shape(step)}`)
  forward.forEach((step, index) => {
    const next = forward[index + 1]
    lines.push(`  ${id(step)} --> ${next ? id(next) : 'completed([COMPLETED])'}`)
  })
  for (const step of steps) {
    if (step.undo)
      lines.push(`  undo_${id(step)}["undo ${step.name}<br/>${step.undo.kind}"]`, `  ${id(step)} -. registered .-> undo_${id(step)}`)
  }
  const pivot = forward.findIndex((step) => step.pivot)
  forward.forEach((step, index) => {
    const back = pivot < 0 || index <= pivot
    const why = [
      ...(typeof step.refusedBecause === 'string' ? [step.refusedBecause] : ['refused']),
      ...(step.expiredBecause ? [step.expiredBecause] : []),
    ]
    lines.push(`  ${id(step)} -- ${why.join(' / ')} --> ${back ? 'compensate{{COMPENSATING}}' : 'attention{{NEEDS_ATTENTION}}'}`)
  })
  lines.push('  compensate --> compensated([COMPENSATED])')
  return `${lines.join('\n')}\n`
}

const id = ({ name }: Step<JsonObject>): string => name.replaceAll('-', '_')

const shape = (step: Step<JsonObject>): string => {
  const text = `${step.name}${step.does ? `<br/>${step.does.kind}` : ''}${step.when ? '<br/>where needed' : ''}`
  if (step.pivot) return `{"${text}<br/>pivot"}`
  return step.does ? `["${text}"]` : `(["${text}"])`
}
