// node deploy/image/slim.mjs FOLDER: takes from its node_modules what no running app reads: types, maps of packages, sources, tests, documents,
// builds for browsers; and from its sbom.cdx.json what differs from one run to the next. Says how much is left.
import { lutimesSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'

const [app] = process.argv.slice(2)
const folder = join(app, 'node_modules')
const FILES = new Set(['.map', '.md', '.markdown', '.flow', '.tsbuildinfo'])
const FOLDERS = new Set(['test', 'tests', '__tests__', 'docs', 'example', 'examples', 'benchmark', 'benchmarks', '.github'])

for (const name of ['.package-lock.json', '.bin', 'typeorm/browser']) rmSync(join(folder, name), { recursive: true, force: true })

const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
for (const entry of entries) {
  const path = join(entry.parentPath, entry.name)
  const typed = /\.[cm]?ts$/.test(entry.name)
  if (entry.isFile() && (typed || FILES.has(extname(entry.name)))) rmSync(path, { force: true })
  // A package's own folder of tests, not a package of that name.
  if (entry.isDirectory() && FOLDERS.has(entry.name) && statSync(join(entry.parentPath, 'package.json'), { throwIfNoEntry: false }))
    rmSync(path, { recursive: true, force: true })
}

const sbom = join(app, 'sbom.cdx.json')
const { serialNumber: _random, ...bill } = JSON.parse(readFileSync(sbom, 'utf8'))
bill.metadata.timestamp = new Date(0).toISOString()
writeFileSync(sbom, JSON.stringify(bill))

let bytes = 0
for (const entry of readdirSync(folder, { recursive: true })) {
  const path = join(folder, entry)
  bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0
  lutimesSync(path, 0, 0)
}
for (const path of ['package.json', 'sbom.cdx.json', 'node_modules', '.']) lutimesSync(join(app, path), 0, 0)
console.log(`${bill.components.length} packages, ${Math.round(bytes / 1e6)} MB`)
