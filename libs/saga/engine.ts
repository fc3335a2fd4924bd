import type { Answered, Command, Commands, Decision, StatesOf, StreamRef } from '#event-store'
import type { Clock, Transaction } from '#kernel'
import type { AnySaga, SagaDefinitions } from './definition.js'
import { parseActionKey, sagaIdFor } from './ids.js'
import type { InputAnswer, SagaInput } from './input.js'
import { react, type Reaction, type ReactionRefused } from './react.js'
import { rowOf, taskChanges } from './rows.js'
import { hasEnded, ownContext, sagaStream, type SagaState } from './state.js'
import type { SagaStore, TakingAtSave } from './store.js'

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

/** What inputs came to. */
export interface Applied {
  /** One per input, in order. */
  readonly answers: readonly InputAnswer[]
  /** Sagas as the transaction ends them. */
  readonly ended: readonly SagaState[]
}

/** What one saga went through in one transaction. */
interface Change {
  readonly before: SagaState
  readonly after: SagaState
  readonly version: number
  readonly definition: AnySaga
}

/** An input thought through within somebody else's command on the saga's stream, such as an HTTP request's. */
export interface Thought {
  readonly stream: StreamRef<SagaState>
  /**
   * The other command's decision, which may look at the saga and let it `react`. Pure; it may be made again after a conflict, and the last one
   * counts: one that does not react takes back what an earlier one did.
   */
  decide<T>(states: StatesOf, by: (saga: SagaState, version: number, react: () => Reaction | ReactionRefused) => T): T
  /** Saves the rows that belong to the last decision, in the transaction in which its events were appended. */
  save(tx: Transaction): Promise<void>
}

interface Thinking extends Pick<Thought, 'stream'> {
  react(states: StatesOf): Reaction | ReactionRefused
  forget(): void
  readonly input: SagaInput
  latest(): (Change & { readonly reaction: Reaction }) | undefined
}

export const sagaRef = (id: string): StreamRef<SagaState> => ({ type: sagaStream, id })

/** Applies inputs to sagas. Everything that an input leads to (events, messages, tasks, rows) commits with the given transaction. */
export class SagaEngine {
  constructor(private readonly ports: SagaEnginePorts) {}

  /** In order. The same input id again gives the same answer and no second effect. Takes the store's lock: call it last in a transaction. */
  async apply(inputs: readonly SagaInput[], tx: Transaction): Promise<readonly InputAnswer[]> {
    return (await this.applyAndTake(inputs, tx)).answers
  }

  /** As `apply`; of the runs that the inputs lead to at once the caller takes some. */
  async applyAndTake(inputs: readonly SagaInput[], tx: Transaction, take?: TakingAtSave): Promise<Applied> {
    const changes = new Map<string, Change>()
    const { answers, told } = await this.#round(inputs, tx, changes)
    await this.#finish(changes, told, tx, take)
    const ended = [...changes.values()].map(({ after }) => after).filter(hasEnded)
    return { answers, ended }
  }

  /** For inputs that are part of another command: it appends and sends what `react` says, then calls `save`. */
  think(input: SagaInput): Thought {
    const { stream, react, latest, forget } = this.#think(input)
    const decide: Thought['decide'] = (states, by) => {
      forget()
      const { state, version } = states.of(stream)
      return by(state, version, () => react(states))
    }
    const save = async (tx: Transaction): Promise<void> => {
      const change = latest()
      if (change) await this.#finish(new Map([[input.sagaId, change]]), toldInputs(change.reaction, input), tx)
    }
    return { stream, decide, save }
  }

  /** What an input would come to, without any effect. */
  preview(input: SagaInput, { state, version }: { readonly state: SagaState; readonly version: number }): InputAnswer {
    const reaction = react(this.#definition(state, input), state, input, { at: this.ports.clock.now(), version })
    if (reaction.disposition === 'refused') return { ...reaction, version, replayed: false }
    return { disposition: reaction.disposition, version: version + reaction.events.length, replayed: false }
  }

  /** Throws when a definition that instances still hold is not there any more, naming them. Call it at the start. */
  async checkDefinitions(): Promise<void> {
    const missing = (await this.ports.store.definitionsInUse()).filter(({ type, version }) => !this.ports.definitions.has(type, version))
    if (missing.length === 0) return
    const held = missing.map(
      ({ type, version, count, examples }) =>
        `${type} v${version} (${count}: ${examples.join(', ')}${count > examples.length ? ', …' : ''})`,
    )
    throw new Error(`saga definitions still in use are missing: ${held.join('; ')}`)
  }

  /** Delivers what the sagas told each other, and saves the rows of all that changed. */
  async #finish(changes: Map<string, Change>, told: readonly SagaInput[], tx: Transaction, take?: TakingAtSave): Promise<void> {
    let next = told
    for (let round = 1; next.length > 0; round++) {
      if (round === MAX_ROUNDS) throw new Error(`sagas tell each other on and on: ${next[0]?.id}`)
      next = (await this.#round(next, tx, changes)).told
    }
    if (changes.size === 0) return
    const all = [...changes.values()]
    const instances = all
      .filter(({ after }) => after.phase !== 'new')
      .map(({ after, version, definition }) => rowOf(definition, after, version))
    await this.ports.store.save({ instances, ...taskChanges(all), now: this.ports.clock.now() }, tx, take)
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
      told.push(...toldInputs(change.reaction, input))
    })
    return { answers: answers.map(parseAnswer), told }
  }

  /** The input as a command on the saga's stream. */
  #command(input: SagaInput): Thinking & { readonly command: Command } {
    const thinking = this.#think(input)
    const { stream } = thinking
    const command: Command = {
      id: input.id,
      fingerprint: `${input.kind} ${input.sagaId}`,
      ...(isInStream(input) ? { unkept: true } : {}),
      streams: [stream],
      metadata: {
        ...input.context,
        actor: input.kind === 'operator' ? input.by : `app:${this.ports.app}`,
        ...(input.kind === 'operator' ? { reason: input.reason } : {}),
      },
      decide: (states): Decision => {
        const reaction = thinking.react(states)
        const { version } = states.of(stream)
        if (reaction.disposition === 'refused') return { appends: [], answer: JSON.stringify({ ...reaction, version }) }
        const { events, messages, disposition } = reaction
        const appends = events.length === 0 ? [] : [{ stream, events }]
        return { appends, messages, answer: JSON.stringify({ disposition, version: version + events.length }) }
      },
    }
    return { ...thinking, command }
  }

  /** `latest` is what the last reaction (it may be thought again after a conflict) came to. */
  #think(input: SagaInput): Thinking {
    // What a start begins is hardly ever there: only where a message came before it.
    const stream = { ...sagaRef(input.sagaId), fresh: input.kind === 'start' }
    let latest: ReturnType<Thinking['latest']>
    return {
      input,
      stream,
      latest: () => latest,
      forget: () => (latest = undefined),
      react: (states) => {
        const { state, version } = states.of(stream)
        const definition = this.#definition(state, input)
        const reaction = react(definition, state, input, { at: this.ports.clock.now(), version })
        latest =
          reaction.disposition === 'refused'
            ? undefined
            : { before: state, after: reaction.state, version: version + reaction.events.length, definition, reaction }
        return reaction
      },
    }
  }

  #definition(state: SagaState, input: SagaInput): AnySaga {
    const { definitions } = this.ports
    if (state.phase === 'new') return input.kind === 'start' ? definitions.newest(input.type) : UNSTARTED
    const { type, definition } = state
    const to = input.kind === 'operator' && input.operator.action === 'migrate' ? input.operator.to : definition
    if (definitions.has(type, to)) return definitions.of(type, to)
    if (definitions.has(type, definition) || !hasEnded(state)) return definitions.of(type, definition)
    // What has ended keeps no version from being taken away, and is still spoken to: `react` moves it to the newest.
    const newest = definitions.newest(type)
    return newest.version > definition ? newest : definitions.of(type, definition)
  }
}

/**
 * That a step succeeded is known by the stream: told again, by a run or by an answer that was delivered twice, it is noted, and no answer need
 * be kept for it. A compensation's is kept: it may be under way once more, and what came of the round before says nothing of that one.
 */
const isInStream = (input: SagaInput): boolean =>
  input.kind === 'outcome' && input.outcome.outcome === 'succeeded' && parseActionKey(input.key)?.side === 'do'

/** What a reaction means to other sagas: messages and starts, children of its steps, and its end to its parent. */
const toldInputs = ({ tells, children, reports, state }: Reaction, from: SagaInput): readonly SagaInput[] => {
  const context = { ...ownContext(state, from.context), causationId: from.id }
  const own = state.id
  return [
    ...tells.map((tell): SagaInput => {
      const about = { id: `${own} tells ${tell.id}`, sagaId: tell.to, context }
      return 'starts' in tell
        ? { ...about, kind: 'start', ...tell.starts }
        : { ...about, kind: 'message', name: tell.name, body: tell.body }
    }),
    ...children.map(({ type, key, data }): SagaInput => {
      const parent = { sagaId: own, key }
      return { kind: 'start', id: `${own} starts ${key}`, sagaId: sagaIdFor(type, key), context, type, correlationKey: key, data, parent }
    }),
    ...reports.map(({ sagaId, key, outcome }): SagaInput => ({
      kind: 'outcome',
      id: `${own} ends by ${from.id}`,
      sagaId,
      context,
      key,
      outcome,
    })),
  ]
}

const parseAnswer = ({ answer, replayed }: Answered): InputAnswer => ({ ...(JSON.parse(answer) as InputAnswer), replayed })
