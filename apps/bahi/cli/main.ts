import 'reflect-metadata'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { processIo } from './io.js'
import { runProgram, type Verb } from './program.js'

const folder = join(import.meta.dirname, 'verbs')
const verbs: Verb[] = []
for (const file of readdirSync(folder).filter((name) => /^[a-z-]+\.js$/.test(name)))
  verbs.push((await import(pathToFileURL(join(folder, file)).href)) as Verb)

const io = processIo()
try {
  await runProgram(verbs, io, process.argv.slice(2))
} catch (error) {
  // What a database says may hold data: its code and its first line are enough.
  const { code, message } = error as { code?: unknown; message?: unknown }
  io.say(`bahi: ${String(message).split('\n', 1)[0]}${typeof code === 'string' ? ` (${code})` : ''}`)
  io.exitCode = 1
}
