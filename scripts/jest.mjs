// Jest, with what ESM needs. `node scripts/jest.mjs unit libs/wallet -t title` runs one suite, optionally narrowed by path and title.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [suites, ...words] = process.argv.slice(2)
// Jest takes the words after an option for its values: each option goes with its `=`, and paths come last.
const title = words.indexOf('-t')
const rest = title < 0 ? words : words.toSpliced(title, 2, `-t=${words[title + 1] ?? ''}`)
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
