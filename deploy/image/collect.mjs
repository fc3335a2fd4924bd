// node deploy/image/collect.mjs APP FOLDER: copies what an app's image runs: the libs, and of dist/apps what the app's main.js reaches.
// With a fixed time on everything, so that the same sources make the same layer.
import { cpSync, existsSync, lutimesSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const [app, folder] = process.argv.slice(2)
const main = resolve(`dist/apps/${app}/main.js`)
if (!app || !folder || !existsSync(main)) {
  console.error(`no such app: ${app || '(none given: --build-arg APP=wallet)'}`)
  process.exit(1)
}

/** Relative imports only: all libs come along, and packages are in node_modules. */
const importsOf = (file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import|import\()\s*['"](\.{1,2}\/[^'"]+)['"]/g)].map(([, path]) =>
    resolve(dirname(file), path),
  )

const reached = new Set([main])
for (const file of reached) for (const each of importsOf(file)) reached.add(each)

for (const file of reached) for (const each of [file, `${file}.map`]) if (existsSync(each)) cpSync(each, each.replace(resolve('.'), folder))
cpSync('dist/libs', join(folder, 'dist/libs'), { recursive: true })
cpSync('deploy/image/health.mjs', join(folder, 'health.mjs'))
mkdirSync(folder, { recursive: true })
// Not an environment variable in the entry point: that would need a shell.
writeFileSync(join(folder, 'main.mjs'), `import './dist/apps/${app}/main.js'\n`)

for (const entry of readdirSync(folder, { recursive: true })) lutimesSync(join(folder, entry), 0, 0)
lutimesSync(folder, 0, 0)
