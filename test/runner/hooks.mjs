// Lets Node import the repository's TypeScript as it stands, and `@jest/globals`. Decorators need a compiler: Node itself only strips types.
import { transformSync } from '@swc/core'
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// What a spec starts is not to start with these hooks.
delete process.env.NODE_OPTIONS

const root = fileURLToPath(new URL('../..', import.meta.url))
const settings = readFileSync(join(root, '.swcrc'), 'utf8')
const { $schema: _, ...options } = JSON.parse(settings)
const cache = join(root, 'node_modules/.cache/specs')
mkdirSync(cache, { recursive: true })

const compiled = (file) => {
  const source = readFileSync(file)
  const kept = join(cache, `${createHash('sha256').update(settings).update(file).update(source).digest('hex')}.js`)
  try {
    return readFileSync(kept)
  } catch {
    const { code } = transformSync(source.toString(), { ...options, swcrc: false, configFile: false, sourceMaps: 'inline', filename: file })
    const fresh = `${kept}.${randomUUID()}`
    writeFileSync(fresh, code)
    renameSync(fresh, kept)
    return code
  }
}

const GLOBALS = new URL('./globals.mjs', import.meta.url).href
const pathOf = (url) => url?.split('?')[0] ?? ''

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === '@jest/globals') return { url: GLOBALS, shortCircuit: true }
    const fromSource = pathOf(context.parentURL).endsWith('.ts')
    const conditions = fromSource ? [...context.conditions, 'source'] : context.conditions
    const typescript = fromSource && specifier.startsWith('.') && specifier.endsWith('.js')
    return next(typescript ? `${specifier.slice(0, -3)}.ts` : specifier, { ...context, conditions })
  },
  load(url, context, next) {
    const path = pathOf(url)
    if (!path.startsWith('file:') || !path.endsWith('.ts')) return next(url, context)
    return { format: 'module', source: compiled(fileURLToPath(path)), shortCircuit: true }
  },
})
