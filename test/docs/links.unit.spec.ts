import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readText, root } from './embedded.js'

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].sort()

const scripts = Object.keys((JSON.parse(readText('package.json')) as { scripts: Record<string, string> }).scripts)
const exists = (path: string): boolean => existsSync(join(root, path))

/** As GitHub makes anchors of headings. */
const anchorsOf = (page: string): readonly string[] =>
  [...withoutCode(readText(page)).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

const withoutCode = (text: string): string => text.replace(/^```[^]*?^```$/gm, '')
const withoutInline = (text: string): string => text.replace(/`[^`\n]*`/g, '')

const linksOf = (page: string) =>
  [...withoutInline(withoutCode(readText(page))).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) =>
    /^[a-z]+:/.test(link) ? [] : [link],
  )

const targetOf = (page: string, link: string): { path: string; anchor: string | undefined } => {
  const [path = '', anchor] = link.split('#', 2)
  return { path: path === '' ? page : normalize(join(dirname(page), path)), anchor }
}

describe.each(PAGES)('%s', (page) => {
  it('links to what is there', () => {
    const broken = linksOf(page).filter((link) => {
      const { path, anchor } = targetOf(page, link)
      return !exists(path) || (anchor !== undefined && statSync(join(root, path)).isFile() && !anchorsOf(path).includes(anchor))
    })
    expect(broken).toEqual([])
  })

  it('names files that are there', () => {
    const named = [...readText(page).matchAll(/`((?:apps|libs|test|scripts|docs|\.ci)\/[\w./-]*)`/g)].map(([, path = '']) => path)
    expect(named.filter((path) => !exists(path))).toEqual([])
  })

  it('names tests that are there, by their titles', () => {
    // A proof is written `[file](link): “title”`, further titles of the same file after commas; * stands for what a template fills in.
    const proofs = [...withoutCode(readText(page)).matchAll(/\]\(([^)\s]+\.ts)\): ((?:“[^”]+”(?:,\s)?)+)/g)]
    const missing = proofs.flatMap(([, link = '', titles = '']) =>
      [...titles.matchAll(/“([^”]+)”/g)]
        .map(([, title = '']) => title)
        .filter((title) => !titleIn(readText(targetOf(page, link).path), title))
        .map((title) => `${link}: ${title}`),
    )
    expect(missing).toEqual([])
  })

  it('names commands that are there', () => {
    const text = readText(page)
    const ours = [...text.matchAll(/\bnpm (?:run (?:--silent )?)([a-z][\w:-]*)/g)].map(([, name = '']) => name)
    if (/\bnpm (test|start)\b/.test(text)) ours.push('test', 'start')
    expect(ours.filter((name) => !scripts.includes(name))).toEqual([])
    const programs = [...text.matchAll(/\bnode ((?:scripts|test|dist)\/[\w./-]+)/g)].map(([, path = '']) => path)
    const sources = programs.map((path) => path.replace(/^dist\/(.*)\.js$/, '$1.ts'))
    expect(sources.filter((path) => !exists(path))).toEqual([])
  })

  it('puts no URL of a database, and so no password, into an argument, which `ps` shows', () => {
    expect(readText(page).match(/--(audit-)?url[ =]("?\$|<|\S*postgres).*/g)).toBeNull()
  })

  it('says nothing that only one machine or one conversation knows', () => {
    expect(readText(page)).not.toMatch(/\/work\/|\/tmp\/|\bissue \d|\bissue #\d|\bbuilder\b/i)
  })
})

it('every decision is in the list of decisions, and every page can be reached from the first', () => {
  const reached = new Set(['README.md'])
  for (const page of reached)
    for (const { path } of linksOf(page).map((link) => targetOf(page, link))) if (PAGES.includes(path)) reached.add(path)
  expect(PAGES.filter((page) => !reached.has(page))).toEqual([])
})

const titleIn = (source: string, title: string): boolean => {
  const flat = source.replaceAll('\\', '').replace(/\s+/g, ' ')
  const pattern = title.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(pattern.join('.{0,80}?')).test(flat)
}
