// The runner of the unit and integration suites. Jest's own loads every module anew for each spec; with Nest that takes longer than
// most specs run. Here a worker is a thread that keeps what it has loaded: only the spec itself is new. See ADR 1.
import { createRunner } from 'jest-light-runner'

const Runner = createRunner({ runtime: 'worker_threads' })
const HOOKS = new URL('./hooks.mjs', import.meta.url).href

export default class extends Runner {
  #inThisProcess

  constructor(globalConfig, ...rest) {
    super(globalConfig, ...rest)
    this.#inThisProcess = globalConfig.maxWorkers === 1
  }

  async runTests(tests, watcher, onStart, onResult, onFailure) {
    // A worker's environment is a copy of this process's; it takes the option out of it again.
    if (this.#inThisProcess) await import(HOOKS)
    else process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${HOOKS} --enable-source-maps`
    try {
      await super.runTests(tests, watcher, onStart, checked, onFailure)
    } finally {
      delete process.env.NODE_OPTIONS
    }

    function checked(test, result) {
      return result.testResults.length > 0
        ? onResult(test, result)
        : onFailure(test, { message: 'a spec without a test', stack: test.path })
    }
  }
}
