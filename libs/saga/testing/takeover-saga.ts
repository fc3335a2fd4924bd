import { activity, defineSaga } from '../definition.js'

export const STEPS = ['one', 'two', 'three'] as const
/** How long one run takes, so that a kill finds some under way. */
export const RUN_MS = 10

/** Three steps of work, one after another. */
export const work = defineSaga({
  type: 'work',
  version: 1,
  steps: STEPS.map((name) => ({ name, does: activity('work', { input: () => ({}) }) })),
})
