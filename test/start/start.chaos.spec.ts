import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  commandOf,
  dataFolder,
  end,
  newHome,
  ON_A_TERMINAL,
  postmasterPid,
  removeHome,
  ROOT,
  spawnPlatform,
  type Spawned,
  type SpawnOptions,
} from '../chaos/running-process.js'

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0
const NOBODY = 65_534
/** Without being root: who runs the tests; as root: somebody else. */
const ordinary = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
const START_MS = 150_000

describe('npm start', () => {
  const homes: string[] = []
  const spawned: Spawned[] = []
  const home = (): string => {
    const folder = newHome()
    homes.push(folder)
    return folder
  }
  const start = (options: SpawnOptions): Spawned => {
    const platform = spawnPlatform(options)
    spawned.push(platform)
    return platform
  }
  afterEach(async () => {
    await Promise.all(spawned.splice(0).map((each) => end(each, 'SIGTERM')))
    for (const folder of homes.splice(0)) removeHome(folder)
  })

  /** It did not start: one line says why, and nothing is left running. */
  const expectRefusal = async (platform: Spawned, why: RegExp, folder: string): Promise<void> => {
    expect(await platform.exited).toEqual({ code: 1, signal: null })
    expect(platform.stderr).toEqual([expect.stringMatching(why)])
    expect(postmasterPid(dataFolder(folder))).toBeUndefined()
  }

  it(
    'starts from nothing, takes the lines it prints, and keeps its data whatever way it ends',
    async () => {
      const folder = home()
      const data = dataFolder(folder)
      // A first start that was killed while it made the database.
      mkdirSync(`${data}.unfinished/base`, { recursive: true })
      writeFileSync(`${data}.unfinished/PG_VERSION`, '18')

      const first = start({ home: folder, args: [] })
      const port = Number(new URL(await first.ready).port)
      await until(() => curls(first).length === 3)
      expect(first.stderr).toEqual([])
      // Not on a terminal: plain lines.
      expect(first.stdout.join('\n')).not.toContain(String.fromCodePoint(27))
      const answers: string[] = []
      for (const line of curls(first)) answers.push((await run('sh', ['-c', line])).stdout)
      expect(answers[2]).toMatch(/^HTTP\/1.1 201 /)
      const location = /^location: (\S+)/im.exec(answers[2] ?? '')?.[1] ?? ''
      const token = /Bearer (\S+)'/.exec(curls(first)[2] ?? '')?.[1] ?? ''
      const order = async () =>
        (await fetch(`http://localhost:${port}${location}`, { headers: { authorization: `Bearer ${token}` } })).status
      await until(async () => (await order()) === 200)

      // In use: another start does no harm.
      await expectRefusalOnly(start({ home: folder, port: 0 }), /^bahi: Bahi already runs from .* as process \d+: /)
      const other = home()
      await expectRefusal(start({ home: other, port }), new RegExp(`^bahi: port ${port} is taken: `), other)
      expect(await order()).toBe(200)

      // Ctrl-C.
      first.child.kill('SIGINT')
      expect(await first.exited).toEqual({ code: 0, signal: null })
      expect(postmasterPid(data)).toBeUndefined()
      expect(existsSync(join(folder, 'running.pid'))).toBe(false)

      const began = performance.now()
      const second = start({ home: folder, port, args: [] })
      await second.ready
      console.log(`a second start took ${Math.round(performance.now() - began)} ms`)
      expect(second.stdout.join('\n')).toMatch(/PostgreSQL \(started, .*Migrations \(nothing to do\)/s)
      expect(await order()).toBe(200)

      // Killed: PostgreSQL lives on and is adopted.
      const postmaster = postmasterPid(data)
      await end(second, 'SIGKILL')
      expect(postmasterPid(data)).toBe(postmaster)
      const third = start({ home: folder, port, args: [] })
      await third.ready
      expect(third.stdout.join('\n')).toContain('PostgreSQL (adopted, ')
      expect(postmasterPid(data)).toBe(postmaster)
      expect(await order()).toBe(200)

      // Everything killed, and the postmaster's pid now somebody else's.
      await end(third, 'SIGKILL')
      process.kill(postmaster ?? 0, 'SIGKILL')
      await until(() => postmasterPid(data) === undefined)
      const pidFile = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
      writeFileSync(join(data, 'postmaster.pid'), [String(process.pid), ...pidFile.slice(1)].join('\n'))
      const fourth = start({ home: folder, port })
      await fourth.ready
      expect(await order()).toBe(200)
      await end(fourth, 'SIGTERM')

      const afresh = start({ home: folder, port, args: ['--json', '--reset'] })
      await afresh.ready
      // Keys of tokens and data are new.
      expect(await order()).toBe(401)
      expect((await fetch(`http://localhost:${port}/v1/products/BOAT-141`)).status).toBe(404)
    },
    5 * START_MS,
  )

  it(
    'shows on a terminal what each stage is at, and stops cleanly when the terminal is closed',
    async () => {
      const folder = home()
      const platform = start({ home: folder, args: [], as: ON_A_TERMINAL })
      await platform.ready
      const shown = platform.stdout.join('\n')
      const running = Number(readFileSync(join(folder, 'running.pid'), 'utf8').split('\n', 1)[0])
      // Drawn over again while it goes on, then ticked.
      expect(shown).toContain(`${String.fromCodePoint(27)}[2K`)
      for (const stage of ['PostgreSQL', 'Migrations', 'Apps']) {
        expect(shown).toMatch(new RegExp(`[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏❯].*${stage}`))
        expect(shown).toMatch(new RegExp(`✔.*${stage}`))
      }
      await end(platform, 'SIGTERM')
      await until(() => commandOf(running) === '')
      expect(postmasterPid(dataFolder(folder))).toBeUndefined()
      expect(existsSync(join(folder, 'running.pid'))).toBe(false)
    },
    START_MS,
  )

  it(
    'stopped while it starts: nothing is left running',
    async () => {
      const folder = home()
      const platform = start({ home: folder })
      await until(() => existsSync(join(dataFolder(folder), 'postmaster.pid')))
      platform.child.kill('SIGINT')
      expect(await platform.exited).toEqual({ code: 0, signal: null })
      expect(platform.stderr).toEqual([])
      expect(postmasterPid(dataFolder(folder))).toBeUndefined()
      expect(existsSync(join(folder, 'running.pid'))).toBe(false)
    },
    START_MS,
  )

  it(
    'says in one line what is wrong with the folder, the port and the Node',
    async () => {
      const locked = home()
      chmodSync(locked, 0o555)
      await expectRefusal(start({ home: locked, as: ordinary }), /^bahi: cannot write to .* \(EACCES\): make it writable, /, locked)
      await expectRefusal(start({ home: join(locked, 'below'), as: ordinary }), /^bahi: cannot write to .* \(EACCES\): /, locked)
      const folder = home()
      await expectRefusal(
        start({ home: folder, args: ['--port', 'http'] }),
        /^error: option '--port <number>' argument 'http' is invalid/,
        folder,
      )

      const faked = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } }); await import('./scripts/start.mjs')`
      const old = await run(process.execPath, ['--input-type=module', '-e', faked], { cwd: ROOT }).catch((error: object) => error)
      expect(old).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^bahi: Node 18\.20\.4 is too old: install Node 20 or newer.*\n$/),
      })
    },
    2 * START_MS,
  )

  it(
    'says in one line which folder of the checkout cannot be written to',
    async () => {
      const checkout = home()
      const [modules, dist] = [join(checkout, 'node_modules'), join(checkout, 'dist')]
      cpSync(join(ROOT, 'scripts'), join(checkout, 'scripts'), { recursive: true })
      for (const file of ['package.json', 'package-lock.json', '.swcrc']) cpSync(join(ROOT, file), join(checkout, file))
      for (const folder of ['apps', 'libs', 'dist', 'node_modules/node/bin']) mkdirSync(join(checkout, folder), { recursive: true })
      const refused = async (locked: string) => {
        chmodSync(locked, 0o555)
        const [command, ...words] = [...ordinary, process.execPath, join(checkout, 'scripts/start.mjs')]
        const started = await run(command ?? '', words, { timeout: START_MS }).catch((error: object) => error)
        chmodSync(locked, 0o777)
        expect(started).toMatchObject({
          code: 1,
          stderr: `bahi: cannot write to ${locked} (EACCES): make it writable, or start as the user whose checkout it is\n`,
        })
      }
      await refused(checkout)
      await refused(modules)
      // Installed, and not built.
      const lock = createHash('sha256')
        .update(readFileSync(join(checkout, 'package-lock.json')))
        .digest('hex')
      writeFileSync(join(modules, '.bahi-lock'), lock)
      writeFileSync(join(modules, 'node/bin/node'), '')
      await refused(checkout)
      await refused(dist)
    },
    2 * START_MS,
  )

  it.each(['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud', 'provider-sandbox'])(
    'an app alone names the variable that it misses: %s',
    async (app) => {
      const env = { PATH: process.env['PATH'] ?? '' }
      const node = ['--disable-warning=ExperimentalWarning', join(ROOT, `dist/apps/${app}/main.js`)]
      const alone = await run(process.execPath, node, { cwd: ROOT, env, timeout: START_MS }).catch((error: object) => error)
      expect(alone).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^[A-Z][A-Z_]{3,}: must be [^\n]+\n$/) })
    },
    2 * START_MS,
  )

  it(
    'runs as an ordinary user, and no command line that it makes tells a secret',
    async () => {
      const folder = home()
      if (isRoot) chownSync(folder, NOBODY, NOBODY)
      const lines = commandLines()
      const platform = start({ home: folder, as: ordinary })
      const baseUrl = await platform.ready
      expect((await fetch(`${baseUrl}/health/ready`)).status).toBe(200)
      const seen = await lines.end()
      const ours = seen.filter((line) => line.includes(folder))
      for (const program of [/main\.js /, /initdb /, /postgres -D /]) expect(ours).toContainEqual(expect.stringMatching(program))
      expect(tellsOne(seen, secretsIn(folder))).toEqual([])
      // One that a command line does tell is found.
      expect(tellsOne(seen, [folder])).toEqual(ours)

      expect(statSync(join(folder, 'secrets.json')).mode & 0o777).toBe(0o600)
      await end(platform, 'SIGINT')
      expect(postmasterPid(dataFolder(folder))).toBeUndefined()
    },
    START_MS,
  )

  const asRoot = isRoot ? it : it.skip
  asRoot(
    'runs as root in a folder that only root may enter',
    async () => {
      const closed = home()
      chmodSync(closed, 0o700)
      const folder = join(closed, '.bahi')
      const platform = start({ home: folder })
      const elsewhere = join('/var/lib/bahi', createHash('sha256').update(folder).digest('hex').slice(0, 12))
      try {
        expect((await fetch(`${await platform.ready}/health/ready`)).status).toBe(200)
        expect(postmasterPid(dataFolder(elsewhere))).toBeDefined()
        await end(platform, 'SIGTERM')
        expect(postmasterPid(dataFolder(elsewhere))).toBeUndefined()
      } finally {
        await end(platform, 'SIGTERM')
        removeHome(elsewhere)
      }
    },
    START_MS,
  )
})

const curls = ({ stdout }: Spawned): readonly string[] => stdout.filter((line) => line.startsWith('curl '))

/** What is made once and kept: of the apps, and the password of PostgreSQL's superuser. */
const secretsIn = (home: string): readonly string[] => {
  const read = (path: string) => readFileSync(join(home, path), 'utf8')
  const secrets = [...Object.values(JSON.parse(read('secrets.json')) as Record<string, string>), read('postgres/password').trim()]
  expect(secrets.filter((secret) => secret.length >= 32)).toHaveLength(6)
  return secrets
}

const tellsOne = (lines: readonly string[], secrets: readonly string[]): readonly string[] =>
  lines.filter((line) => secrets.some((secret) => line.includes(secret)))

/** As anybody on the machine sees them in `ps`, from now until `end`: looked at again and again, since some are there only for a moment. */
const commandLines = (): { end(): Promise<readonly string[]> } => {
  const seen = new Set<string>()
  let watching = true
  const look = async () => {
    const { stdout } = await run('ps', ['-A', '-ww', '-o', 'command='], { timeout: 10_000, maxBuffer: 2 ** 24 })
    for (const line of stdout.split('\n')) seen.add(line)
  }
  const watch = (async () => {
    while (watching) await look().then(() => wait(100))
    await look()
  })()
  return { end: () => ((watching = false), watch.then(() => [...seen])) }
}

const expectRefusalOnly = async (platform: Spawned, why: RegExp): Promise<void> => {
  expect(await platform.exited).toEqual({ code: 1, signal: null })
  expect(platform.stderr).toEqual([expect.stringMatching(why)])
}

const until = async (condition: () => boolean | Promise<boolean>, timeout_ms = START_MS): Promise<void> => {
  const deadline = Date.now() + timeout_ms
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not reached within ${timeout_ms} ms`)
    await wait(50)
  }
}
