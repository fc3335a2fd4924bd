// What must be there before anything of ours can run: a Node that is new enough to install with, the packages of the lock file, and a
// build of the sources as they now are. Runs on Node 20 with nothing installed, so it imports nothing but Node itself.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const modules = join(root, 'node_modules')
const INSTALL_TIMEOUT_MS = 15 * 60_000

/** A mistake that the person at the keyboard can mend: one line, exit 1. */
export class Refused extends Error {}

export const sayAndExit = (error) => {
  console.error(error instanceof Refused ? `bahi: ${error.message}` : error)
  process.exit(1)
}

export const checkNode = () => {
  const [major] = process.versions.node.split('.').map(Number)
  if (major < 20) throw new Refused(`Node ${process.versions.node} is too old: install Node 20 or newer (https://nodejs.org) and try again`)
}

/** Said before anything is begun; a folder that is not there yet is made in one that is. */
const mustBeWritable = (...folders) => {
  for (const folder of folders.filter((each) => existsSync(each))) {
    try {
      accessSync(folder, constants.W_OK | constants.X_OK)
    } catch ({ code }) {
      throw new Refused(`cannot write to ${folder} (${code}): make it writable, or start as the user whose checkout it is`)
    }
  }
}

/** The Node that the project pins, once its packages are there. */
export const projectNode = () => join(modules, 'node/bin', process.platform === 'win32' ? 'node.exe' : 'node')

/** Installs what the lock file says, when that is not what is installed. */
export const installPackages = async (say) => {
  const lock = join(root, 'package-lock.json')
  const stamp = join(modules, '.bahi-lock')
  const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(projectNode())) return
  mustBeWritable(root, modules)
  say('installing packages (once, about a minute)')
  await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], INSTALL_TIMEOUT_MS, 'npm ci')
  writeFileSync(stamp, wanted)
}

/** Compiles apps and libs to dist/ when a source is newer than the last build. */
export const build = async (say) => {
  const stamp = join(root, 'dist/.built')
  const sources = ['apps', 'libs'].flatMap((folder) => filesBelow(join(root, folder))).filter((file) => !/\.(spec|fixture)\.ts$/.test(file))
  const print = createHash('sha256')
  for (const file of [join(root, '.swcrc'), join(root, 'package.json'), ...sources.sort()])
    print.update(`${file}:${statSync(file).mtimeMs}:${statSync(file).size};`)
  const wanted = print.digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  mustBeWritable(root, join(root, 'dist'))
  say('building')
  // Beside, and put in its place when whole: what runs from the last build meanwhile finds all of one or all of the other.
  const unfinished = `dist.unfinished-${process.pid}`
  const replaced = join(root, `dist.replaced-${process.pid}`)
  try {
    await run(
      projectNode(),
      [join(modules, '@swc/cli/bin/swc.js'), 'apps', 'libs', '-d', unfinished, '--ignore', '**/*.spec.ts,**/*.fixture.ts', '--quiet'],
      120_000,
      'the build',
    )
    writeFileSync(join(root, unfinished, '.built'), wanted)
    if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), replaced)
    renameSync(join(root, unfinished), join(root, 'dist'))
  } finally {
    for (const folder of [join(root, unfinished), replaced]) rmSync(folder, { recursive: true, force: true })
  }
}

/** A line for what begins; on a terminal it counts the seconds until the next begins or all is done. */
const progress = () => {
  if (!process.stdout.isTTY) return { say: (line) => console.log(`  ${line}`), done: () => undefined }
  let current
  let began
  let timer
  const draw = (end) =>
    process.stdout.write(`\r  ${current}${end} (${Math.round((Date.now() - began) / 1_000)} s)${end === '' ? '' : '\n'}`)
  const done = () => {
    if (current === undefined) return
    clearInterval(timer)
    draw(': done')
    current = undefined
  }
  const say = (line) => {
    done()
    current = line
    began = Date.now()
    draw('')
    timer = setInterval(draw, 1_000, '')
    timer.unref()
  }
  return { say, done }
}

/** Packages and build, each only if it must. */
export const prepare = async () => {
  const { say, done } = progress()
  checkNode()
  try {
    await installPackages(say)
    await build(say)
  } finally {
    done()
  }
}

/** The same, told on the error output: the other is what the command is asked for. */
export const prepareAside = async () => {
  const say = (line) => console.error(`  ${line}`)
  checkNode()
  await installPackages(say)
  await build(say)
}

/** Runs a command of ours with the project's Node, hands signals on, and exits as it does. */
export const become = (args, env = {}) => {
  // What was compiled once is not compiled again at the next start.
  const cached = { NODE_COMPILE_CACHE: join(modules, '.cache/node'), ...withProjectPath() }
  const child = spawn(projectNode(), args, { cwd: root, stdio: 'inherit', env: { ...cached, ...env } })
  // A terminal sends Ctrl-C to the whole group; from elsewhere a signal reaches only this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  child.on('error', sayAndExit)
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}

export const withProjectPath = () => ({ ...process.env, PATH: [join(modules, '.bin'), process.env.PATH].join(delimiter) })

const run = (command, args, timeout_ms, what) =>
  new Promise((resolve, reject) => {
    const output = []
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeout_ms, env: withProjectPath() })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk))
    child.on('error', (error) => reject(new Refused(`${what} could not be started: ${error.message}`)))
    child.on('exit', (code) => {
      if (code === 0) resolve()
      else
        reject(
          new Refused(
            `${what} failed:\n${Buffer.concat(output)
              .toString()
              .trimEnd()
              .split('\n')
              .filter((line) => !line.includes('EBADENGINE'))
              .slice(0, 25)
              .join('\n')}`,
          ),
        )
    })
  })

const filesBelow = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : entry.name.endsWith('.ts') ? [path] : []
  })
