// Lets Node run this repository's TypeScript as it stands, so that seeds run in processes of their own, on every core, without Jest between
// them and the engine: `node --conditions=source --import ./test/simulation/typescript.mjs <file>.ts`.
import { transformSync } from '@swc/core'
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

// The libs' test kits export their conformance suites beside the ports in memory. Nobody calls a suite here.
const NAMES = ['afterAll', 'afterEach', 'beforeAll', 'beforeEach', 'describe', 'expect', 'it', 'jest', 'test']
const noJest = `data:text/javascript,${encodeURIComponent(`export const ${NAMES.map((name) => `${name} = undefined`).join(', ')}`)}`

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === '@jest/globals') return { url: noJest, shortCircuit: true }
    const own = context.parentURL?.endsWith('.ts') && specifier.startsWith('.') && specifier.endsWith('.js')
    return next(own ? `${specifier.slice(0, -3)}.ts` : specifier, context)
  },
  load(url, context, next) {
    if (!url.endsWith('.ts') || url.includes('/node_modules/')) return next(url, context)
    const filename = fileURLToPath(url)
    const { code } = transformSync(readFileSync(filename, 'utf8'), { filename, sourceMaps: 'inline' })
    return { format: 'module', source: code, shortCircuit: true }
  },
})
