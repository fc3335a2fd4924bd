import type { AnyStreamType, Answered, Command, EventStore } from '#event-store'
import { memoryEventStore } from '#event-store/testing'
import type { Clock } from '#kernel'

/** The in-memory event store behind a gate, so that a test can hold commands back or have them fail. */
export interface GatedStore {
  readonly store: EventStore
  gate: Promise<void> | undefined
  failWith: Error | undefined
  /** What the store is given instead of a command. */
  instead: (command: Command) => Command
  /** How many events there are. */
  appended(): Promise<number>
}

export const gatedStore = (types: readonly AnyStreamType[], clock: Clock): GatedStore => {
  const inner = memoryEventStore({ types, publish: () => [], clock, app: 'demo' })
  const execute = async (command: Command): Promise<Answered> => {
    await gated.gate
    if (gated.failWith) throw gated.failWith
    return inner.execute(gated.instead(command))
  }
  const gated: GatedStore = {
    store: new Proxy<EventStore>(inner, {
      get: (target, name) => {
        if (name === 'execute') return execute
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    }),
    gate: undefined,
    failWith: undefined,
    instead: (command) => command,
    async appended() {
      let count = 0
      for await (const _ of inner.readAll()) count += 1
      return count
    },
  }
  return gated
}
