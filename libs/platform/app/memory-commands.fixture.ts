import { CommandIdReused, type Answered, type Command, type Commands, type StatesOf, type StreamRef, type StreamState } from '#event-store'

export interface MemoryCommands extends Commands {
  readonly incarnation: string
  load<State>(stream: StreamRef<State>): StreamState<State>
  versions(): Record<string, number>
  /** Holds every command back until called with undefined. */
  gate: Promise<void> | undefined
  failWith: Error | undefined
  appended: number
}

/** The smallest honest store: one command at a time, answers kept by id. */
export const memoryCommands = (): MemoryCommands => {
  const streams = new Map<string, { version: number; state: unknown }>()
  const answers = new Map<string, { fingerprint: string; answer: string }>()
  const name = ({ type, id }: StreamRef) => `${type.category}-${id}`
  const of = (<State>(stream: StreamRef<State>) =>
    streams.get(name(stream)) ?? { version: 0, state: stream.type.initialState }) as StatesOf['of']
  const run = (command: Command): Answered => {
    if (store.failWith) throw store.failWith
    const known = answers.get(command.id)
    if (known && known.fingerprint !== command.fingerprint) throw new CommandIdReused(command.id)
    if (known) return { answer: known.answer, replayed: true }
    const { appends, answer } = command.decide({ of })
    for (const { stream, events } of appends) {
      let { version, state } = of(stream as StreamRef<unknown>)
      for (const event of events) {
        version += 1
        store.appended += 1
        state = stream.type.evolve(state as never, event as never)
      }
      streams.set(name(stream), { version, state })
    }
    answers.set(command.id, { fingerprint: command.fingerprint, answer })
    return { answer, replayed: false }
  }
  const store: MemoryCommands = {
    incarnation: '0190-demo',
    gate: undefined,
    failWith: undefined,
    appended: 0,
    load: of,
    versions: () => Object.fromEntries([...streams].map(([stream, { version }]) => [stream, version])),
    async execute(command) {
      await store.gate
      return run(command)
    },
    async executeAll(commands) {
      return commands.map(run)
    },
  }
  return store
}
