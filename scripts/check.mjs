// `npm run check`: format, lint, types, dependency rules. Each gate is first shown a violation planted in a copy of the sources and must
// find it: a gate that passes on everything proves nothing. `--json` prints the results as JSON.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import dependencyRules from '../.dependency-cruiser.cjs'
import { checkNode, installPackages, projectNode, root, sayAndExit, withProjectPath } from './prepare.mjs'

const SOURCES = ['apps', 'libs', 'test', 'scripts', 'deploy', 'k8s']
const CONFIGURATION = [
  'package.json',
  'tsconfig.json',
  '.oxlintrc.json',
  '.dependency-cruiser.cjs',
  '.prettierrc.json',
  '.prettierignore',
  'jest.config.mjs',
]
const LIBS_ABOVE = [
  ['kernel-points-down', 'libs/kernel', '#contracts'],
  ['contracts-postgres-tracing-points-down', 'libs/postgres', '#messaging'],
  ['event-store-points-down', 'libs/event-store', '#messaging'],
  ['messaging-points-down', 'libs/messaging', '#event-store'],
  ['projections-saga-platform-points-down', 'libs/saga', '#order'],
  ['service-points-down', 'libs/service', '#order-http'],
  ['order-http-payment-http-points-down', 'libs/payment-http', '#saga'],
  // Of the rows that leave it out by their place, too: what puts apps together is above every lib that they are put together from.
  ...[
    ['kernel-points-down', 'libs/kernel'],
    ['contracts-postgres-tracing-points-down', 'libs/tracing'],
    ['event-store-points-down', 'libs/event-store'],
    ['messaging-points-down', 'libs/messaging'],
    ['projections-saga-platform-points-down', 'libs/platform'],
    ['order-http-payment-http-points-down', 'libs/order-http'],
  ].map(([rule, folder]) => [rule, folder, '#service']),
]

/** file -> text of a violation; `finds` is what the gate must say of it, in a line that names the file. */
const gates = [
  {
    name: 'format',
    command: ['prettier/bin/prettier.cjs', '--check', '--log-level=warn', ...SOURCES],
    planted: [{ file: 'libs/kernel/planted.ts', text: 'export   const a = "1";', finds: '[warn]' }],
  },
  {
    name: 'lint',
    command: ['oxlint/bin/oxlint', '--format=unix', ...SOURCES],
    planted: [
      { file: 'libs/kernel/planted.ts', text: 'export const a = (b: any) => b\n', finds: 'no-explicit-any' },
      { file: 'libs/order/planted-clock.ts', text: 'export const now = () => Date.now()\n', finds: 'no-restricted-properties' },
      { file: 'libs/stock/planted-env.ts', text: 'export const a = process.env\n', finds: 'no-restricted-globals' },
      { file: 'apps/wallet/planted-call.ts', text: "export const a = () => fetch('http://fraud')\n", finds: 'no-restricted-globals' },
      { file: 'apps/fraud/planted-http.ts', text: "export { get } from 'node:http'\n", finds: 'no-restricted-imports' },
      { file: 'libs/platform/planted-bang.ts', text: 'export const a = (b?: string) => b!.length\n', finds: 'no-non-null-assertion' },
      { file: 'libs/platform/planted-log.ts', text: 'export const a = () => console.log(1)\n', finds: 'no-console' },
    ],
  },
  {
    name: 'types',
    command: ['typescript/bin/tsc', '--noEmit', '-p', '.', '--incremental', 'false'],
    planted: [
      { file: 'libs/kernel/planted.ts', text: 'export const a: number = "1"\n', finds: 'TS2322' },
      { file: 'apps/bahi/planted.ts', text: 'export const first = (list: string[]): string => list[0]\n', finds: 'TS2322' },
      { file: 'libs/saga/planted.ts', text: 'export const a: { b?: string } = { b: undefined }\n', finds: 'TS2375' },
    ],
  },
  {
    name: 'dependencies',
    command: ['dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.cjs', 'apps', 'libs'],
    proves: /([1-9]\d{2,}) modules/,
    rules: dependencyRules.forbidden.map(({ name }) => name),
    planted: [
      ...LIBS_ABOVE.map(([rule, folder, target]) => ({
        file: `${folder}/planted-above-${target.slice(1)}.ts`,
        text: `export * as planted from '${target}'\n`,
        finds: rule,
      })),
      { file: 'libs/saga/planted-apart.ts', text: "export * as planted from '#projections'\n", finds: 'projections-saga-platform-apart' },
      { file: 'libs/order/planted-impure.ts', text: "export * as planted from '@nestjs/common'\n", finds: 'domain-is-pure' },
      { file: 'libs/kernel/planted-import.ts', text: "export * as planted from 'pg'\n", finds: 'kernel-imports-nothing' },
      {
        file: 'libs/platform/planted-app.ts',
        text: "export * as planted from '../../apps/bahi/planted-target.js'\n",
        finds: 'lib-never-imports-app',
      },
      {
        file: 'apps/wallet/planted-app.ts',
        text: "export * as planted from '../bahi/planted-target.js'\n",
        finds: 'app-never-imports-app',
      },
      {
        file: 'apps/front/planted-app.ts',
        text: "export * as planted from '../bahi/planted-target.js'\n",
        finds: 'app-never-imports-app',
      },
      {
        file: 'apps/bahi/planted-target.ts',
        text: "export * as planted from '../../libs/kernel/money.js'\n",
        finds: 'lib-by-its-front-door',
      },
      {
        file: 'libs/saga/planted-door.ts',
        text: "export * as planted from '../kernel/money.js'\n",
        finds: 'lib-by-its-neighbours-front-door',
      },
      { file: 'apps/bahi/planted-test.ts', text: "export * as planted from '#kernel/testing'\n", finds: 'tests-stay-out-of-product' },
      // Of a cycle one module is named, the same each time.
      {
        file: 'libs/platform/planted-cycle.ts',
        text: "export * as planted from './planted-cycle-2.js'\nexport * as lost from './nowhere.js'\n",
        finds: 'nothing-unresolved',
      },
      { file: 'libs/platform/planted-cycle-2.ts', text: "export * as planted from './planted-cycle.js'\n", finds: 'no-cycle' },
      { file: 'apps/bahi/planted-dev.ts', text: "export * as planted from 'fast-check'\n", finds: 'declared-in-package-json' },
    ],
  },
]

const run = ([script, ...args], cwd) =>
  new Promise((resolve) => {
    execFile(
      projectNode(),
      [join(root, 'node_modules', script), ...args],
      // What is looked for stands in the lines: no colours between, which CI has some tools use.
      { cwd, env: { ...withProjectPath(), NO_COLOR: '1', FORCE_COLOR: '0' }, maxBuffer: 64 << 20, timeout: 300_000 },
      (error, stdout, stderr) => resolve({ ok: !error, output: `${stdout}${stderr}` }),
    )
  })

/** A copy of the sources, with every gate's violations planted in turn. */
const copySources = () => {
  const copy = mkdtempSync(join(tmpdir(), 'bahi-check-'))
  for (const name of [...SOURCES, ...CONFIGURATION])
    if (existsSync(join(root, name))) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

const missedPlants = async (gate, copy) => {
  for (const { file, text } of gate.planted) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    writeFileSync(join(copy, file), text)
  }
  const { ok, output } = await run(gate.command, copy)
  for (const { file } of gate.planted) rmSync(join(copy, file))
  const lines = ok ? [] : output.split('\n')
  // Of one line: another plant may break the same rule. A file named after its rule would be found whatever the line says.
  const found = ({ file, finds }) => !file.includes(finds) && lines.some((line) => line.includes(file) && line.includes(finds))
  return gate.planted.filter((plant) => !found(plant)).map(({ file, finds }) => `${finds} in ${file}`)
}

/** Rules that no plant breaks: nothing shows that they can fail. */
const unproven = ({ rules = [], planted }) => rules.filter((rule) => !planted.some(({ finds }) => finds === rule))

const json = process.argv.includes('--json')
if (process.argv.includes('--help')) {
  console.log(
    'npm run check [-- --json]\n\nFormat, lint, types and dependency rules over the sources; each is first shown violations that it must find.',
  )
  process.exit(0)
}

try {
  checkNode()
  await installPackages((line) => json || console.log(`  ${line}`))
  const copy = copySources()
  const results = []
  try {
    for (const gate of gates) {
      // The copy and the sources at once: most gates keep one core busy.
      const [missed, { ok, output }] = await Promise.all([missedPlants(gate, copy), run(gate.command, root)])
      const empty = gate.proves && !gate.proves.test(output)
      const unplanted = unproven(gate)
      const passed = ok && missed.length === 0 && unplanted.length === 0 && !empty
      results.push({ gate: gate.name, passed, planted: gate.planted.length, missed, unplanted })
      if (json) continue
      console.log(
        `${passed ? 'ok  ' : 'FAIL'} ${gate.name}: found ${gate.planted.length - missed.length} of ${gate.planted.length} planted violations; the sources ${ok ? 'are clean' : 'are not'}`,
      )
      if (missed.length > 0) console.log(`     not found: ${missed.join(', ')}`)
      if (unplanted.length > 0) console.log(`     without a planted violation: ${unplanted.join(', ')}`)
      if (empty) console.log(`     it looked at too little to mean anything`)
      if (!ok) console.log(output.trimEnd().replace(/^/gm, '     '))
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
  const passed = results.filter((result) => result.passed).length
  if (json) console.log(JSON.stringify({ results, passed, failed: results.length - passed }, null, 2))
  else console.log(`checks: ${passed} passed, ${results.length - passed} failed`)
  process.exit(passed === results.length ? 0 : 1)
} catch (error) {
  sayAndExit(error)
}
