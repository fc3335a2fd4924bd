// Starts the whole platform as a user would, as a process of its own in a folder of its own, and ends it by its process id.
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { QUICK } from './quick.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const READY_TIMEOUT_MS = 180_000
const STOP_TIMEOUT_MS = 40_000

/** Passable by anybody: as root the database runs as `nobody`, and everything of the run is to be in this folder. */
export const newHome = async () => {
  const home = await mkdtemp(join(tmpdir(), 'bahi-e2e-'))
  await chmod(home, 0o755)
  return home
}

/** @returns {Promise<{ baseUrl: string, pid: number, home: string, output: string[], stop(): Promise<void>, kill(): Promise<void> }>} */
export const startPlatform = async ({ home, port = 0, env = {} }) => {
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', join(root, 'dist/apps/bahi/main.js'), '--port', String(port), '--home', home, '--json'],
    {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '', ...QUICK, LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const output = []
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  createInterface({ input: child.stderr }).on('line', (line) => output.push(line))
  const ready = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      output.push(line)
      if (line.startsWith('{"ready":true')) resolve(JSON.parse(line).baseUrl)
    })
    exited.then(({ code, signal }) =>
      reject(new Error(`the platform ended before it was ready (${code ?? signal}):\n${output.slice(-40).join('\n')}`)),
    )
    setTimeout(
      () => reject(new Error(`the platform was not ready after ${READY_TIMEOUT_MS} ms:\n${output.slice(-40).join('\n')}`)),
      READY_TIMEOUT_MS,
    ).unref()
  })
  const end = (signal) => async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await exited
    clearTimeout(late)
  }
  try {
    return { baseUrl: await ready, pid: child.pid, home, output, stop: end('SIGTERM'), kill: end('SIGKILL') }
  } catch (error) {
    await end('SIGTERM')()
    throw error
  }
}

export const removeHome = (home) => rm(home, { recursive: true, force: true })
