// A real Redis for tests, where `redis-server` is installed (Debian and Ubuntu: apt-get install redis-server).
import { spawn, spawnSync } from 'node:child_process'
import { createConnection } from 'node:net'
import { freePort } from './kafka.mjs'

const START_MS = 10_000

/** Why Redis cannot run here, or undefined when it can. */
export const redisMissing = () => (spawnSync('redis-server', ['--version']).status === 0 ? undefined : 'needs redis-server')

const answers = (port) =>
  new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const say = (up) => {
      socket.destroy()
      resolve(up)
    }
    socket.setTimeout(1_000, () => say(false))
    socket.on('data', (data) => say(data.toString().startsWith('+PONG')))
    socket.on('error', () => say(false))
  })

/** Starts a Redis that keeps nothing. Answers its URL, its port, its process id, and how to stop it. */
export const startRedis = async ({ port: given } = {}) => {
  const port = given ?? (await freePort())
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  })
  const exited = new Promise((resolve) => server.once('exit', resolve))
  // A test run that is killed must not leave it behind.
  const onExit = () => server.kill('SIGKILL')
  process.once('exit', onExit)
  const stop = async () => {
    process.removeListener('exit', onExit)
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL')
      await exited
    }
  }
  const until = Date.now() + START_MS
  while (!(await answers(port))) {
    if (server.exitCode !== null || Date.now() > until) {
      await stop()
      throw new Error(`redis-server did not start on port ${port}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { url: `redis://127.0.0.1:${port}`, port, pid: server.pid, stop }
}
