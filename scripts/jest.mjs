// Jest, with what ESM needs. `node scripts/jest.mjs unit libs/wallet` runs one suite, optionally narrowed by path.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [suites, ...rest] = process.argv.slice(2)
const paths = rest.filter((word) => !word.startsWith('-'))
const child = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/jest/bin/jest.js'),
    '--selectProjects',
    ...(suites ?? 'unit').split(','),
    ...rest.filter((word) => word.startsWith('-')),
    ...(paths.length > 0 ? ['--', ...paths] : []),
  ],
  { cwd: root, stdio: 'inherit' },
)
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
