import { createReadStream, createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'

/** What a verb may touch of the world. */
export interface Io {
  /** A line of what was asked for; waits while the reader is slower. */
  out(line: string): Promise<void>
  /** A line for the person, which no program reads. */
  say(line: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the person has had enough. */
  readonly signal: AbortSignal
  /** What the process ends with, when it ends by itself. */
  exitCode: number
}

/** What the person can mend: one line, exit 1. */
export class Refused extends Error {}

export const processIo = (): Io => {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)))
  // `bahi events read | head`: the reader has gone, and so do we.
  process.stdout.on('error', () => process.exit(0))
  return {
    out: (line) => put(process.stdout, line),
    say: (line) => void process.stderr.write(`${line}\n`),
    env: process.env,
    signal: stop.signal,
    get exitCode() {
      return Number(process.exitCode ?? 0)
    },
    set exitCode(code) {
      process.exitCode = code
    },
  }
}

const put = async (stream: Writable, line: string): Promise<void> => {
  if (!stream.write(`${line}\n`)) await once(stream, 'drain')
}

/** Writes lines to a file that is not there yet, readable by the owner alone; `-` is the output. */
export const toFile = async <T>(io: Io, path: string, write: (line: (text: string) => Promise<void>) => Promise<T>): Promise<T> => {
  if (path === '-') return write(io.out)
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  await once(file, 'open').catch((error: NodeJS.ErrnoException) => {
    throw new Refused(`cannot write ${path} (${error.code})`)
  })
  try {
    return await write((text) => put(file, text))
  } finally {
    file.end()
    await finished(file)
  }
}

/** The lines of a file. */
export const fromFile = async function* (path: string): AsyncGenerator<string> {
  const file = createReadStream(path)
  await once(file, 'open').catch((error: NodeJS.ErrnoException) => {
    throw new Refused(`cannot read ${path} (${error.code})`)
  })
  yield* createInterface({ input: file, crlfDelay: Infinity })
}
