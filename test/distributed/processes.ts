import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '../..')
const START_MS = 120_000
const STOP_MS = 30_000

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: readonly string[]
}

type Environment = Readonly<Record<string, string>>

/** A test run that is killed must not leave them behind. */
const alive = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

export const launch = (app: string, words: readonly string[], env: Environment): ChildProcess =>
  spawn(process.execPath, ['--enable-source-maps', join(root, `dist/apps/${app}/main.js`), ...words], {
    cwd: root,
    // Nothing of this process's own: what an app reads is what it is given. What Node compiled before is Node's, and saves a third of a start.
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

export const watch = (child: ChildProcess): { readonly output: string[]; readonly ended: Promise<Ended> } => {
  const output: string[] = []
  for (const stream of [child.stdout, child.stderr]) if (stream) createInterface({ input: stream }).on('line', (line) => output.push(line))
  const ended = new Promise<Ended>((done) => child.once('close', (code, signal) => done({ code, signal, output })))
  alive.add(child)
  void ended.then(() => alive.delete(child))
  return { output, ended }
}

/** Runs an app's command to its end. */
export const run = async (app: string, words: readonly string[], env: Environment): Promise<Ended> => {
  const child = launch(app, words, env)
  const late = setTimeout(() => child.kill('SIGKILL'), START_MS)
  const ended = await watch(child).ended
  clearTimeout(late)
  return ended
}

export interface AppProcess {
  readonly app: string
  readonly url: string
  readonly output: readonly string[]
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<Ended>
  /** SIGKILL. */
  kill(): Promise<Ended>
}

/** An app alone, as `npm run start:<app>` runs it, on a free port unless `env` names one. Resolves when it listens. */
export const startProcess = async (app: string, env: Environment): Promise<AppProcess> => {
  const child = launch(app, [], { PORT: '0', ...env })
  const { output, ended } = watch(child)
  const end = async (signal: NodeJS.Signals): Promise<Ended> => {
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    const result = await ended
    clearTimeout(late)
    return result
  }
  const listening = new Promise<string>((done, failed) => {
    const look = (): void => {
      const line = output.find((each) => each.startsWith(`${app} listens on `))
      if (line) done(`http://127.0.0.1:${new URL(line.slice(`${app} listens on `.length)).port}`)
    }
    child.stdout?.on('data', () => setImmediate(look))
    const late = setTimeout(() => failed(new Error(`${app} did not listen:\n${output.slice(-20).join('\n')}`)), START_MS)
    void ended.then(() => failed(new Error(`${app} ended before it listened:\n${output.slice(-20).join('\n')}`)))
    void ended.then(() => clearTimeout(late))
    late.unref()
  })
  try {
    return { app, url: await listening, output, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') }
  } catch (error) {
    await end('SIGKILL')
    throw error
  }
}
