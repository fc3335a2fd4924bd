import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from '@jest/globals'

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

export const readText = (path: string): string => readFileSync(join(root, path), 'utf8')

/** `npm run docs` writes what belongs between the markers; a test run compares. */
const writes = process.env['BAHI_UPDATE_DOCS'] === 'true'

/** Holds a page to what is made from code: the text between `<!-- begin NAME -->` and `<!-- end NAME -->` must be exactly `text`. */
export const expectEmbedded = (page: string, name: string, text: string): void => {
  const [begin, end] = [`<!-- begin ${name} -->\n`, `<!-- end ${name} -->`]
  const whole = readText(page)
  const from = whole.indexOf(begin)
  const to = whole.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${page} has no markers of ${name}`)
  const wanted = `\n${text.trimEnd()}\n\n`
  if (writes) writeFileSync(join(root, page), whole.slice(0, from + begin.length) + wanted + whole.slice(to))
  else expect(whole.slice(from + begin.length, to)).toBe(wanted)
}

export const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``
