// The order of specs. Those that share one platform come first and the flash sale last of Jest's own runner: two thousand orders at once make
// everybody else's wait, and some of what else is tested there has a window of seconds.
import Sequencer from '@jest/test-sequencer'

const rankOf = ({ path }) => (path.endsWith('/flash-sale.e2e.spec.ts') ? 2 : path.endsWith('.e2e.spec.ts') ? 0 : 1)

export default class extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}
