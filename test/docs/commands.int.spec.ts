import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { Command } from 'commander'
import type { Io } from '../../apps/bahi/cli/io.js'
import type { Verb } from '../../apps/bahi/cli/program.js'
import { ROUTES } from '../../apps/front/routing-table.js'
import { readText, root } from './embedded.js'

const pagesIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`)
const RUNBOOKS = pagesIn('docs/runbooks')
const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pagesIn('docs'), ...pagesIn('docs/adr'), ...RUNBOOKS]

let verbs: readonly Verb[]
beforeAll(async () => {
  const names = readdirSync(join(root, 'apps/bahi/cli/verbs')).map((file) => file.replace(/\.ts$/, '.js'))
  verbs = await Promise.all(names.map((name) => import(`../../apps/bahi/cli/verbs/${name}`) as Promise<Verb>))
})

/** The program of `npx bahi`, whose commands do nothing. */
const program = (): Command => {
  const io: Io = { out: async () => undefined, say: () => undefined, env: {}, signal: new AbortController().signal, exitCode: 0 }
  const whole = new Command('bahi')
  for (const { register } of verbs) register(whole, io)
  const idle = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
    if (command.commands.length === 0) command.allowExcessArguments(false).action(() => undefined)
    for (const each of command.commands) idle(each)
  }
  idle(whole)
  return whole
}

/** Why a command line does not run; undefined where it would. What is to be filled in is, with what fits most places. */
const refusalOf = async (line: string): Promise<string | undefined> => {
  const words = line
    .replace(/<date>/g, '2026-11-01')
    .replace(/<[^>]+>|…/g, 'wallet')
    .match(/'[^']*'|\S+/g)
  try {
    await program().parseAsync(words ?? [], { from: 'user' })
    return undefined
  } catch (error) {
    return `bahi ${line}: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Whether it names a command, or a group of them, and says no more: prose may. */
const namesOne = (line: string): boolean => {
  let at: Command | undefined = program()
  for (const word of line.split(' ')) at = at?.commands.find((each) => each.name() === word)
  return at !== undefined
}

const linesOf = (text: string) => {
  const blocks = [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block = '']) => block.replace(/\\\n\s*/g, ' ').split('\n'))
  const inBlocks = blocks.flatMap((line) => /^(?:npx )?bahi (.*)$/.exec(line)?.[1] ?? [])
  const inline = [...text.replace(/^```[^]*?^```$/gm, '').matchAll(/`(?:npx )?bahi ([a-z][^`]*)`/g)].map(([, line = '']) => line)
  return { inBlocks, inline }
}

const wrongIn = async (text: string, whole: boolean): Promise<readonly string[]> => {
  const { inBlocks, inline } = linesOf(text)
  const runs = [...inBlocks, ...inline.filter((line) => whole || !namesOne(line))]
  return (await Promise.all(runs.map(refusalOf))).flatMap((why) => why ?? [])
}

const callsIn = (text: string): readonly string[] => [...text.matchAll(/`((?:GET|PUT|POST) \/v1\/[^\s`?]*)/g)].map(([, call = '']) => call)

/** Calls that no route answers; parameters may have any name. */
const nowhere = (calls: readonly string[]): readonly string[] => {
  const shape = (call: string) => call.replace(/\{\w+\}/g, '{}')
  const routes = new Set(ROUTES.map(({ method, path }) => shape(`${method} ${path}`)))
  return calls.filter((call) => !routes.has(shape(call)))
}

const ofApps = (text: string): readonly string[] => [...text.matchAll(/\bnode main\.mjs ([a-z-]+)/g)].map(([, verb = '']) => verb)

describe('what pages tell to run', () => {
  it('is found where it is wrong: an argument that is missing, an option or a command that is not there', async () => {
    expect(await wrongIn('`npx bahi events replay`', true)).toEqual([expect.stringMatching(/missing required argument 'stream'/)])
    expect(await wrongIn('```sh\nnpx bahi doctor --quickly\n```', false)).toEqual([expect.stringMatching(/unknown option '--quickly'/)])
    expect(await wrongIn('`bahi sagas list`', false)).toEqual([expect.stringMatching(/unknown command 'sagas'/)])
    expect(await wrongIn('`bahi events replay`', false)).toEqual([])
  })

  it.each(PAGES)('%s: by `bahi` is taken by it', async (page) => {
    // In a runbook somebody copies it at night: there it is whole.
    expect(await wrongIn(readText(page), RUNBOOKS.includes(page))).toEqual([])
  })

  it.each(PAGES)("%s: by an app's own command line is taken by it", (page) => {
    const source = readText('libs/service/run-app.ts')
    expect(ofApps(readText(page)).filter((verb) => !source.includes(`.command('${verb}'`))).toEqual([])
  })

  it('is found where no route answers', () => {
    expect(nowhere(callsIn('`GET /v1/saga/{id}`, `POST /v1/sagas/{sagaId}/retry {reason}`, `GET /v1/sagas?status=RUNNING`'))).toEqual([
      'GET /v1/saga/{id}',
    ])
  })

  it.each([...RUNBOOKS, 'docs/operations.md'])('%s: by HTTP has a route', (page) => {
    expect(nowhere(callsIn(readText(page)))).toEqual([])
  })
})
