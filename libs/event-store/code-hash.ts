import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire, findPackageJSON, isBuiltin } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`, `require('x')`. One too many, in a string or a comment, does no harm. */
const IMPORTS = /(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*['"]([^'"\n]+)['"]/g

const known = new Map<string, string>()

/**
 * Hash of a module's text and of all that it imports, and they in turn; of packages their name and version, of Node nothing. So a function changes it
 * wherever it lies. It does not depend on where the files are, and a bundle counts as what it is: one module. Reads files, once for each module asked for.
 */
export const codeHash = (url: string): string => {
  const before = known.get(url)
  if (before !== undefined) return before
  const hash = createHash('sha256')
  // In the order in which they are met.
  const modules = new Set([url])
  for (const each of modules) {
    const text = readFileSync(fileURLToPath(each), 'utf8')
    hash.update(`${text.length} `).update(text)
    for (const [, specifier = ''] of text.matchAll(IMPORTS)) {
      const found = resolve(specifier, each)
      if (found === undefined) continue
      if (found.startsWith('file:')) modules.add(found)
      else hash.update(found)
    }
  }
  const result = hash.digest('hex')
  known.set(url, result)
  return result
}

/** The module's URL, or what stands for a package; undefined for what is neither. */
const resolve = (specifier: string, from: string): string | undefined => {
  if (isBuiltin(specifier)) return undefined
  if (/^\.{0,2}\//.test(specifier) || specifier.startsWith('file:')) return onDisk(new URL(specifier, from))
  try {
    // Subpath imports of the package itself.
    if (specifier.startsWith('#')) return pathToFileURL(createRequire(from).resolve(specifier)).href
    const manifest = findPackageJSON(specifier, from)
    if (manifest === undefined) return undefined
    const { name, version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly name?: string; readonly version?: string }
    return `${name}@${version}`
  } catch {
    return undefined
  }
}

/** TypeScript that runs as it is says `./x.js` of `./x.ts`. */
const onDisk = (url: URL): string | undefined =>
  [url.href, url.href.replace(/\.(c|m)?js$/, '.$1ts'), `${url.href}.js`, `${url.href}.ts`].find((each) => existsSync(fileURLToPath(each)))
