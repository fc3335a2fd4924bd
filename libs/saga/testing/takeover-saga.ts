import { activity, defineSaga, waitFor } from '../definition.js'

export const STEPS = ['one', 'two', 'three'] as const
/** How long one run takes, so that a kill finds some under way. */
export const RUN_MS = 20

/** Three steps of work, one after another. */
export const work = defineSaga({
  type: 'work',
  version: 1,
  steps: STEPS.map((name) => ({ name, does: activity('work', { input: () => ({}) }) })),
})

export const WINDOW_MS = 3_000

/** Waits for what never comes, and turns back when its time is over. */
export const patience = defineSaga({
  type: 'patience',
  version: 1,
  steps: [{ name: 'wait', does: waitFor('never', { window_ms: WINDOW_MS }), expiredBecause: 'nobody-came' }],
})
