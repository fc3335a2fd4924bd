import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')
/** What a test run shortens or widens: nothing else differs from `npm start`. */
export const QUICK = { UPI_WINDOW_SECONDS: '4', RATE_LIMIT_PER_SECOND: '5000', RATE_LIMIT_BURST: '10000', LOG_LEVEL: 'error' }
const READY_TIMEOUT_MS = 120_000

export interface Spawned {
  readonly child: ChildProcess
  readonly pid: number
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  /** The base URL; rejects when the process ends first. */
  readonly ready: Promise<string>
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

export interface SpawnOptions {
  readonly home: string
  readonly port?: number
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly root?: string
  /** Put before the command: `setpriv ...`. */
  readonly as?: readonly string[]
}

/** Put before a command: it has a terminal, which is closed when this process ends. */
export const ON_A_TERMINAL = [
  'python3',
  '-c',
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))',
  'sh',
  '-c',
  'stty cols 120 rows 40; exec "$@"',
  'sh',
] as const

/** The platform as a process of its own. */
export const spawnPlatform = ({ home, port = 0, args = ['--json'], env = {}, root = ROOT, as = [] }: SpawnOptions): Spawned => {
  const node = ['--enable-source-maps', '--disable-warning=ExperimentalWarning', join(root, 'dist/apps/bahi/main.js')]
  const [command, ...words] = [...as, process.execPath, ...node, '--port', String(port), '--home', home, ...args]
  const clean = { ...process.env, NODE_OPTIONS: '', PORT: '', BAHI_HOME: '' }
  const child = spawn(command ?? '', words, { cwd: root, env: { ...clean, ...QUICK, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  return follow(child)
}

export const follow = (child: ChildProcess, timeout_ms = READY_TIMEOUT_MS): Spawned => {
  const stdout: string[] = []
  const stderr: string[] = []
  lines(child.stderr, (line) => stderr.push(line))
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) =>
    child.once('close', (code, signal) => done({ code, signal })),
  )
  const ready = new Promise<string>((done, failed) => {
    lines(child.stdout, (line) => {
      stdout.push(line)
      if (line.startsWith('{"ready":true')) done((JSON.parse(line) as { baseUrl: string }).baseUrl)
      const said = /^Bahi is ready at (\S+)/.exec(line)
      if (said?.[1]) done(said[1])
    })
    const fail = (why: string) => failed(new Error(`the platform ${why}:\n${[...stdout, ...stderr].slice(-40).join('\n')}`))
    void exited.then(({ code, signal }) => fail(`ended before it was ready (${code ?? signal})`))
    setTimeout(() => fail(`was not ready after ${timeout_ms} ms`), timeout_ms).unref()
  })
  ready.catch(() => undefined)
  return { child, pid: child.pid ?? 0, stdout, stderr, ready, exited }
}

const lines = (stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void => {
  let rest = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    parts.forEach(onLine)
  })
}

export const end = async (spawned: Spawned, signal: NodeJS.Signals): Promise<void> => {
  if (spawned.child.exitCode === null && spawned.child.signalCode === null) spawned.child.kill(signal)
  await spawned.exited
}

/** A folder that anybody may pass through, as a checkout is. */
export const newHome = (): string => {
  const home = mkdtempSync(join(tmpdir(), 'bahi-chaos-'))
  chmodSync(home, 0o755)
  return home
}

/** Ends the PostgreSQL that a killed platform left behind, and removes everything. */
export const removeHome = (home: string, data = dataFolder(home)): void => {
  const pid = postmasterPid(data)
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
  rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
}

export const dataFolder = (home: string): string => join(home, 'postgres', 'data')

/** Of the live postmaster of exactly this data folder. */
export const postmasterPid = (data: string): number | undefined => {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const pid = Number(readFileSync(file, 'utf8').split('\n', 1)[0])
  return commandOf(pid).includes(`-D ${data} `) ? pid : undefined
}

/** Empty for a process that is not there, or is a zombie. */
export const commandOf = (pid: number): string => {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,command=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 }).trim()
    return line.startsWith('Z') ? '' : `${line} `
  } catch {
    return ''
  }
}

/** The postmaster and, before it can tell them, every process of it: no backend gets to the end of what it does. */
export const killServer = (data: string): void => {
  const postmaster = postmasterPid(data)
  if (postmaster === undefined) throw new Error('PostgreSQL does not run')
  const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8', timeout: 5_000 })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const children = processes.flatMap(([pid, parent]) => (pid !== undefined && parent === postmaster ? [pid] : []))
  for (const pid of [postmaster, ...children]) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      // It ended by itself meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
