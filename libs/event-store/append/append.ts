import { createHash } from 'node:crypto'
import type { Transaction } from '#kernel'
import type { Command, Commands, DomainEvent, StreamRef, StreamVersion } from '../store.js'
import { streamName } from '../stream.js'

/** What must be there: exactly this version, no such stream yet, or whatever there is. */
export type ExpectedVersion = StreamVersion | 'none' | 'any'

/** Events that were decided elsewhere, for streams whose newest state is not asked. Of all streams, or of none. */
export interface Append {
  /** Names the append: repeated, it has no second effect and gives the first result. */
  readonly id: string
  readonly metadata: Command['metadata']
  /** Each stream once. */
  readonly to: readonly { readonly stream: StreamRef; readonly expected: ExpectedVersion; readonly events: readonly DomainEvent[] }[]
}

export interface Appended {
  /** Of each stream after it, in the order of `to`. */
  readonly versions: readonly StreamVersion[]
  /** It had been appended before, and this is what it came to then. */
  readonly replayed: boolean
}

/** The newest version is another than the one expected. Nothing was appended, and the id is free. */
export class WrongExpectedVersion extends Error {
  constructor(
    readonly stream: string,
    readonly expected: ExpectedVersion,
    readonly actual: StreamVersion,
  ) {
    super(`${stream} is at version ${actual}, not at ${expected}`)
  }
}

/**
 * Appends in one commit, in `tx` where that is given (call it last there). Rejects with `WrongExpectedVersion`, with `CommandIdReused` where the id was used
 * for another append, and as `execute` does. `any` waits for nobody: where another writer was faster it is appended after what that one wrote.
 */
export const appendEvents = async (store: Commands, append: Append, tx?: Transaction): Promise<Appended> => {
  const command = commandOf(append)
  const [answered] = tx ? await store.executeAll([command], tx) : [await store.execute(command)]
  if (!answered) throw new Error('the append was left without an answer')
  return { versions: JSON.parse(answered.answer) as StreamVersion[], replayed: answered.replayed }
}

const commandOf = ({ id, metadata, to }: Append): Command => {
  const said = to.map(({ stream, expected, events }) => [streamName(stream), expected, events])
  if (new Set(to.map(({ stream }) => streamName(stream))).size < to.length) throw new TypeError('an append names each stream once')
  return {
    id,
    fingerprint: createHash('sha256').update(JSON.stringify(said)).digest('hex'),
    streams: to.map(({ stream }) => stream),
    metadata,
    decide: (states) => {
      const versions = to.map(({ stream, expected, events }) => {
        const { version } = states.of(stream)
        if (expected !== 'any' && version !== (expected === 'none' ? 0 : expected))
          throw new WrongExpectedVersion(streamName(stream), expected, version)
        return version + events.length
      })
      return { appends: to, answer: JSON.stringify(versions) }
    },
  }
}
