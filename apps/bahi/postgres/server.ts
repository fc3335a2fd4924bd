import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkedConnection } from '#postgres'
import pg from 'pg'
import type { Placement } from './placement.js'

const run = promisify(execFile)

const SUPERUSER = 'postgres'
const START_TIMEOUT_S = 60
const STOP_TIMEOUT_S = 30
/** What fits into a socket's address, without its last zero: macOS has 104 bytes, Linux 108. */
const LONGEST_SOCKET_PATH = 103
/** Above what Linux (2^22) and macOS ever give to a process. */
const NO_PID = 4_194_305

/** What a laptop's server is told. Durability stays as PostgreSQL ships it: fsync and synchronous commit are on. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  random_page_cost: '1.1',
  log_min_messages: 'warning',
}

export interface RunningPostgres {
  readonly port: number
  /** Of the superuser and the database `postgres`. */
  readonly url: string
  /** `adopted`: a server that an earlier run left behind was found alive and is used on. */
  readonly how: 'started' | 'adopted'
  stop(): Promise<void>
}

interface Listening {
  readonly port: number
  /** The folder of its Unix socket. */
  readonly sockets: string | undefined
}

/**
 * Starts the server of this folder, makes it first where it is new, or adopts the one that an earlier, killed run left behind. With `onPort` it
 * listens there and nowhere else, or the start fails.
 */
export const startPostgres = async (placement: Placement, onPort?: number): Promise<RunningPostgres> => {
  const data = join(placement.folder, 'data')
  if (!existsSync(join(data, 'PG_VERSION'))) await initialise(placement, data)
  const password = readFileSync(join(placement.folder, 'password'), 'utf8').trim()
  const stop = async () => {
    try {
      await pgCtl(placement, ['stop', '-D', data, '-m', 'fast', '-w', '-t', String(STOP_TIMEOUT_S)])
    } catch (error) {
      // What is not running any more need not be stopped.
      if (await findLeftOver(data, password)) throw error
    }
  }

  const left = await findLeftOver(data, password)
  if (left) return { url: urlOf(password, left), port: left.port, how: 'adopted', stop }

  const port = onPort ?? (await freePort(rememberedPort(placement)))
  const sockets = socketFolder(placement.folder, port)
  const settings = { ...SETTINGS, port: String(port), unix_socket_directories: sockets ?? '' }
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`)
  const log = join(placement.folder, 'server.log')
  try {
    await pgCtl(placement, ['start', '-D', data, '-w', '-t', String(START_TIMEOUT_S), '-l', log, '-o', options.join(' ')])
  } catch (error) {
    const tail = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n  ') : ''
    throw new Error(`PostgreSQL did not start; its log ${log} ends with:\n  ${tail}`, { cause: error })
  }
  writeFileSync(join(placement.folder, 'port'), String(port))
  return { url: urlOf(password, { port, sockets }), port, how: 'started', stop }
}

/** Ends the server of this folder, if one runs, and removes all data. */
export const removePostgres = async (placement: Placement): Promise<void> => {
  const data = join(placement.folder, 'data')
  if (existsSync(join(data, 'postmaster.pid'))) {
    await pgCtl(placement, ['stop', '-D', data, '-m', 'immediate', '-w', '-t', String(STOP_TIMEOUT_S)]).catch(() => undefined)
  }
  rmSync(placement.folder, { recursive: true, force: true })
}

/** Into a folder beside, renamed when whole: a start that was killed halfway leaves nothing that looks like a cluster. */
const initialise = async (placement: Placement, data: string): Promise<void> => {
  const unfinished = `${data}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  const passwordFile = join(placement.folder, 'password')
  writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 })
  if (placement.user) chownSync(passwordFile, placement.user.uid, placement.user.gid)
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
  const auth = ['--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`]
  await run(placement.initdb, ['-D', unfinished, ...auth, ...locale], spawnOptions(placement, 120_000))
  renameSync(unfinished, data)
}

/**
 * Where a server listens that already runs on exactly this folder. The pid file says where it would be; that it is ours is shown by logging in
 * with this folder's password and asking for its data folder, so a reused pid or port fools nobody. A server still recovering is waited for.
 */
const findLeftOver = async (data: string, password: string): Promise<Listening | undefined> => {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return undefined
  const lines = readFileSync(pidFile, 'utf8').split('\n')
  const pid = lines[0]
  const port = Number(lines[3])
  if (!pid || !port) return undefined
  const listening = { port, sockets: lines[4] || undefined }
  if (!(await serves(Number(pid), data))) {
    // The pid is a zombie's or has gone to another program, or to another folder's server, but PostgreSQL would take it for a live server. A pid
    // that no system gives makes it look at the rest of the file, which guards against backends that may still be writing. The lock of its
    // socket says the pid again.
    writeFileSync(pidFile, [String(NO_PID), ...lines.slice(1)].join('\n'))
    if (listening.sockets) rmSync(join(listening.sockets, `.s.PGSQL.${port}.lock`), { force: true })
    return undefined
  }
  for (let attempt = 0; attempt < START_TIMEOUT_S * 4; attempt++) {
    const client = new pg.Client({ ...checkedConnection(urlOf(password, listening)), connectionTimeoutMillis: 2_000 })
    // What is lost is told by the statement under way; without a listener it would end the process.
    client.on('error', () => undefined)
    try {
      await client.connect()
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory')
      return rows[0] && realpathSync(rows[0].data_directory) === realpathSync(data) ? listening : undefined
    } catch (error) {
      // 57P03: starting up or recovering. Anything else is not our server.
      if ((error as { code?: string }).code !== '57P03') return undefined
      await new Promise((resolve) => setTimeout(resolve, 250))
    } finally {
      await client.end().catch(() => undefined)
    }
  }
  return undefined
}

/** Whether this process is the postmaster of this folder, by what it was started with: `postgres -D <data> -c ...`. */
const serves = async (pid: number, data: string): Promise<boolean> => {
  const { stdout } = await run('ps', ['-ww', '-o', 'stat=,command=', '-p', String(pid)], { timeout: 5_000 }).catch(() => ({ stdout: '' }))
  const folder = /postgres -D (.*?)(?: -c |$)/.exec(stdout.trim())?.[1]
  return !stdout.startsWith('Z') && folder !== undefined && existsSync(folder) && realpathSync(folder) === realpathSync(data)
}

const rememberedPort = (placement: Placement): number => {
  const file = join(placement.folder, 'port')
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
}

/** The wanted port if nobody has it, else any. */
const freePort = (wanted: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', (error) => (wanted ? resolve(freePort(0)) : reject(error)))
    probe.listen(wanted, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : wanted))
    })
  })

/** Beside its port a server has a socket in its own folder, which costs both sides less than TCP, unless the folder's path is too long for one. */
const socketFolder = (folder: string, port: number): string | undefined =>
  Buffer.byteLength(join(folder, `.s.PGSQL.${port}`)) <= LONGEST_SOCKET_PATH ? folder : undefined

/** `host` as a parameter goes before the address in front, which is for tools that know none. */
const urlOf = (password: string, { port, sockets }: Listening): string =>
  `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres${sockets ? `?host=${encodeURIComponent(sockets)}` : ''}`

const pgCtl = (placement: Placement, args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
  run(placement.pgCtl, [...args], spawnOptions(placement, (START_TIMEOUT_S + 5) * 1_000))

/** The work folder must be one that `nobody` may be in. */
const spawnOptions = ({ user }: Placement, timeout: number) => ({
  cwd: '/',
  timeout,
  env: { ...process.env, LC_ALL: 'C' },
  ...user,
})
