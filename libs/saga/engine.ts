import type { Answered, Command, Commands, StreamRef } from '#event-store'
import type { Clock, Transaction } from '#kernel'
import type { AnySaga, SagaDefinitions, Tell } from './definition.js'
import type { InputAnswer, SagaInput } from './input.js'
import { rowOf, taskChanges } from './rows.js'
import { react, type Reaction } from './react.js'
import { sagaStream, type SagaState } from './state.js'
import type { SagaStore } from './store.js'

/** Tells may lead to tells; a chain longer than this is a mistake in the definitions. */
const MAX_ROUNDS = 8

/** Stands in while nothing has started: messages that come too early are kept for whichever definition will start. */
const UNSTARTED: AnySaga = { type: 'unstarted', version: 0, steps: [] }

export interface SagaEnginePorts {
  readonly commands: Pick<Commands, 'executeAll'>
  readonly store: Pick<SagaStore, 'save' | 'definitionsInUse'>
  readonly definitions: SagaDefinitions
  readonly clock: Pick<Clock, 'now'>
  readonly app: string
}

/** What one saga went through in one transaction. */
interface Change {
  readonly before: SagaState
  readonly after: SagaState
  readonly version: number
  readonly definition: AnySaga
}

/** Applies inputs to sagas. Everything that an input leads to (events, messages, tasks, rows) commits with the given transaction. */
export class SagaEngine {
  constructor(private readonly ports: SagaEnginePorts) {}

  /** In order. The same input id again gives the same answer and no second effect. Takes the store's lock: call it last in a transaction. */
  async apply(inputs: readonly SagaInput[], tx: Transaction): Promise<readonly InputAnswer[]> {
    const changes = new Map<string, Change>()
    const first = await this.#round(inputs, tx, changes)
    let told = first.told
    for (let round = 1; told.length > 0; round++) {
      if (round === MAX_ROUNDS) throw new Error(`sagas tell each other on and on: ${told[0]?.id}`)
      told = (await this.#round(told, tx, changes)).told
    }
    if (changes.size > 0) {
      const all = [...changes.values()]
      const instances = all
        .filter(({ after }) => after.phase !== 'new')
        .map(({ after, version, definition }) => rowOf(definition, after, version))
      await this.ports.store.save({ instances, ...taskChanges(all) }, tx)
    }
    return first.answers
  }

  /** Throws when a definition that instances still hold is not there any more, naming them. Call it at the start. */
  async checkDefinitions(): Promise<void> {
    const missing = (await this.ports.store.definitionsInUse()).filter(({ type, version }) => !this.ports.definitions.has(type, version))
    if (missing.length === 0) return
    const held = missing.map(({ type, version, count, example }) => `${type} v${version} (${count}, such as ${example})`)
    throw new Error(`saga definitions still in use are missing: ${held.join('; ')}`)
  }

  async #round(
    inputs: readonly SagaInput[],
    tx: Transaction,
    changes: Map<string, Change>,
  ): Promise<{ answers: readonly InputAnswer[]; told: readonly SagaInput[] }> {
    const thoughts = inputs.map((input) => this.#command(input))
    const answers = await this.ports.commands.executeAll(
      thoughts.map(({ command }) => command),
      tx,
    )
    const told: SagaInput[] = []
    thoughts.forEach(({ latest, input }, index) => {
      const change = latest()
      if (!change || answers[index]?.replayed !== false) return
      changes.set(input.sagaId, { ...change, before: changes.get(input.sagaId)?.before ?? change.before })
      told.push(...change.tells.map((tell) => toldInput(tell, input, change.after.correlationId)))
    })
    return { answers: answers.map(parseAnswer), told }
  }

  /** The input as a command on the saga's stream. `latest` is what its last decision (it may decide again after a conflict) came to. */
  #command(input: SagaInput): { input: SagaInput; command: Command; latest(): (Change & { tells: readonly Tell[] }) | undefined } {
    const stream: StreamRef<SagaState> = { type: sagaStream, id: input.sagaId }
    let latest: (Change & { tells: readonly Tell[] }) | undefined
    const command: Command = {
      id: input.id,
      fingerprint: `${input.kind} ${input.sagaId}`,
      streams: [stream],
      metadata: { ...input.context, actor: input.kind === 'operator' ? input.by : `app:${this.ports.app}`, ...reasonOf(input) },
      decide: (states) => {
        const { state, version } = states.of(stream)
        const definition = this.#definition(state, input)
        const reaction = react(definition, state, input, { at: this.ports.clock.now(), version })
        if (reaction.disposition === 'refused') {
          latest = undefined
          return { appends: [], answer: JSON.stringify({ ...reaction, version }) }
        }
        const after = version + reaction.events.length
        latest = { before: state, after: reaction.state, version: after, definition, tells: reaction.tells }
        return decision(stream, reaction, after)
      },
    }
    return { input, command, latest: () => latest }
  }

  #definition(state: SagaState, input: SagaInput): AnySaga {
    if (state.phase !== 'new') return this.ports.definitions.of(state.type, state.definition)
    return input.kind === 'start' ? this.ports.definitions.newest(input.type) : UNSTARTED
  }
}

const decision = (stream: StreamRef<SagaState>, { events, messages, disposition }: Reaction, version: number) => ({
  appends: events.length === 0 ? [] : [{ stream, events }],
  messages,
  answer: JSON.stringify({ disposition, version }),
})

const reasonOf = (input: SagaInput): { reason?: string } => (input.kind === 'operator' ? { reason: input.reason } : {})

const toldInput = ({ id, to, name, body }: Tell, from: SagaInput, correlationId: string): SagaInput => ({
  kind: 'message',
  id: `${from.sagaId} tells ${id}`,
  sagaId: to,
  context: { ...from.context, correlationId, causationId: from.id },
  name,
  body,
})

const parseAnswer = ({ answer }: Answered): InputAnswer => JSON.parse(answer) as InputAnswer
