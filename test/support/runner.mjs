// For suites that take long and run commands one after the other: against Docker Compose, against a cluster.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { projectNode, Refused, root } from '../../scripts/prepare.mjs'

/** Commands in the checkout. Each is ended with all that it started when its time is over, or when this process is interrupted; then `run` rejects, until `stopping`. */
export class Runner {
  interrupted = false
  #end = () => undefined

  /** `name` is said before what Jest's results are of; `env`, of the commands, is asked for each time. */
  constructor(name, env, results) {
    Object.assign(this, { name, env, results })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
      process.once(signal, () => {
        this.interrupted = true
        this.#end()
      })
  }

  /** Whether it ended well. */
  run(command, args, timeout_ms, stdio = 'inherit') {
    return new Promise((resolve, reject) => {
      if (this.interrupted) return reject(new Refused('interrupted'))
      // A group of its own, so that Jest's workers end with it.
      const child = spawn(command, args, { cwd: root, env: this.env(), stdio, detached: true })
      this.#end = () => child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, 'SIGKILL')
      const late = setTimeout(() => {
        console.error(`not done after ${timeout_ms / 1_000} s: ${command} ${args.join(' ')}`)
        this.#end()
      }, timeout_ms)
      const done = (ok) => {
        clearTimeout(late)
        if (this.interrupted) reject(new Refused('interrupted'))
        else resolve(ok)
      }
      child.on('error', () => done(false))
      child.on('exit', (code) => done(code === 0))
    })
  }

  /** A suite, or a part of it; with its results where they are asked for. */
  jest(part, project, timeout_ms, ...args) {
    const results = this.results ? ['--json', `--outputFile=${join(this.results, `${this.name}-${part}.json`)}`] : []
    return this.run(projectNode(), ['scripts/jest.mjs', project, '--forceExit', ...results, ...args], timeout_ms)
  }

  /** From here on commands put away what there is. */
  stopping() {
    this.interrupted = false
  }

  /** Says how long it took. */
  async timed(what, work) {
    const began = performance.now()
    const result = await work()
    console.log(`${this.name}: ${what}: ${Math.round((performance.now() - began) / 1_000)} s`)
    return result
  }
}
