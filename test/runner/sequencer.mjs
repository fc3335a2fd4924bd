// The order of specs. On a clean clone Jest begins with the largest files, which says little of how long one takes; what takes minutes comes first, else
// it runs alone at the end. Then those that share one platform, and the flash sale last of Jest's own runner: two thousand orders at once make
// everybody else's wait, and some of what else is tested there has a window of seconds.
import Sequencer from '@jest/test-sequencer'

/** The longest first. */
const LONG = ['wallet.chaos.spec.ts', 'kill.chaos.spec.ts', 'start.chaos.spec.ts', 'messaging.chaos.spec.ts', 'kafka-log.contract.spec.ts']

const rankOf = ({ path }) => {
  const long = LONG.findIndex((name) => path.endsWith(`/${name}`))
  if (long >= 0) return long - LONG.length
  return path.endsWith('/flash-sale.e2e.spec.ts') ? 2 : path.endsWith('.e2e.spec.ts') ? 0 : 1
}

export default class extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}
