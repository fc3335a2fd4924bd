import type { MessageContract } from '#contracts'
import type { IncomingMessage } from '#kernel'
import { noEffect, type BatchHandler } from '#messaging'
import { isNewer, type AppliedStream, type RowStore, type Upsert } from './rows.js'

/**
 * What a message of one contract does to a read model. Pure: the same messages make the same rows on any store.
 */
export interface Handler {
  readonly contract: Pick<MessageContract, 'topic' | 'type' | 'version'>
  /** Checks the data (throws `ContractViolation`) and says what it would write. */
  reduce(message: IncomingMessage): Reduction
}

export interface Reduction {
  /** The stream whose versions put the message in its place: one that is not newer than what was applied has no effect. */
  readonly at: AppliedStream
  readonly upserts: readonly Upsert[]
}

/** A read model: its name and its handlers, of any topics. */
export interface Projection {
  readonly name: string
  readonly handlers: readonly Handler[]
}

/** Where a message stands: its aggregate's stream and version, as its publisher counts them. */
export interface Place {
  readonly stream: string
  readonly version: number | bigint
}

/** A handler of `contract`. `rows` may not look at anything but its arguments. */
export const on = <Data>(
  contract: MessageContract<Data>,
  place: (data: Data, message: IncomingMessage) => Place,
  rows: (data: Data, message: IncomingMessage) => readonly Upsert[],
): Handler => ({
  contract,
  reduce(message) {
    const data = contract.parse(message.data)
    const { stream, version } = place(data, message)
    return {
      at: { stream, incarnation: message.origin.incarnation, version: BigInt(version) },
      upserts: rows(data, message),
    }
  },
})

/** A message of a contract that is known, in a version that is not: its publisher was deployed before its readers. */
export class UnknownContractVersion extends Error {
  constructor(
    readonly type: string,
    readonly version: number,
  ) {
    super(`${type} v${version} is not known here`)
  }
}

/**
 * The projection as a message handler, for batches of any size: one statement for the versions and one or two for each table. A type that
 * the projection has no handler for is passed over. A repeat, or an old message sent again, has no effect.
 */
export const projector = (projection: Projection, rows: RowStore): BatchHandler => {
  const handlers = new Map(projection.handlers.map((handler) => [nameOf(handler.contract), handler]))
  if (handlers.size < projection.handlers.length) throw new TypeError(`${projection.name} has two handlers of one contract`)

  return async (messages) => {
    const reductions = messages.flatMap((message) => {
      const handler = handlers.get(nameOf(message))
      if (!handler) return []
      if (message.schemaVersion !== handler.contract.version) throw new UnknownContractVersion(message.type, message.schemaVersion)
      return [handler.reduce(message)]
    })
    if (reductions.length === 0) return noEffect
    return async (tx) => {
      const moved = await rows.advance(tx, latest(reductions))
      const reached = new Map(moved)
      const fresh = reductions.filter(({ at }) => {
        if (!moved.has(at.stream) || !isNewer(at, reached.get(at.stream))) return false
        reached.set(at.stream, at)
        return true
      })
      await rows.upsert(
        tx,
        fresh.flatMap(({ upserts }) => upserts),
      )
    }
  }
}

const nameOf = ({ topic, type }: { readonly topic: string; readonly type: string }): string => `${topic}/${type}`

const latest = (reductions: readonly Reduction[]): readonly AppliedStream[] => {
  const streams = new Map<string, AppliedStream>()
  for (const { at } of reductions) if (isNewer(at, streams.get(at.stream))) streams.set(at.stream, at)
  return [...streams.values()]
}
