import type { JsonObject, MessageContext, OutgoingMessage } from '#kernel'
import type { SagaStatus } from './state.js'

/** What a definition's functions see of an instance. */
export interface Saga<Data> {
  readonly id: string
  readonly correlationKey: string
  readonly data: Data
  readonly status: SagaStatus
  /** Why it turned back: the step and the reason that the step's declaration gives. */
  readonly failure?: { readonly step: string; readonly reason: string; readonly detail?: string }
  readonly succeeded: (step: string) => boolean
  readonly startedAt: number
  readonly updatedAt: number
}

/** What a command message carries besides its own fields. The same call, however often it goes out, has the same id. */
export interface Call {
  readonly id: string
  readonly replyTo: string
  readonly context: MessageContext
}

export type Patch<Data> = { readonly [Name in keyof Data]?: Data[Name] }
type Learns<Data> = (result: JsonObject, data: Data, outcome: 'succeeded' | 'refused' | 'unknown') => Patch<Data>

/** What a person may say of an action that they settle: only its own names are read. */
export type Told = Readonly<Record<string, string>>

/**
 * The result of an action that succeeded by a person's word: made of what the saga knows, and of what the person must tell where it does
 * not. `lacks`: names of what must be told and was not.
 */
export type ByHand<Data> = (told: Told, saga: Saga<Data>) => { readonly result: JsonObject } | { readonly lacks: readonly string[] }

/** A message to another app, answered by one `CommandAnswered`. Without an answer it goes out again under the same id. */
export interface CommandAction<Data> {
  readonly kind: 'command'
  readonly message: (saga: Saga<Data>, call: Call) => OutgoingMessage
  readonly learns?: Learns<Data>
  /** Without it a person's word has no result: right where nothing is learned of one. */
  readonly byHand?: ByHand<Data>
  /** Pause before the first repeat; doubled each time. */
  readonly repeatAfter_ms: number
  /** Sendings before an operator is called. */
  readonly attempts: number
}

/** I/O in this process, run by the worker from a durable row. It must be idempotent by its key. Unknown outcomes are asked about. */
export interface ActivityAction<Data> {
  readonly kind: 'activity'
  readonly activity: string
  readonly input: (saga: Saga<Data>) => JsonObject
  readonly learns?: Learns<Data>
  readonly byHand?: ByHand<Data>
  /** How long it may stay unknown before the step expires. Without it: `attempts` runs, then an operator is called. */
  readonly window_ms?: number
  readonly attempts: number
  readonly backoff: { readonly first_ms: number; readonly most_ms: number }
}

/** Waits for a message from outside. */
export interface WaitAction<Data> {
  readonly kind: 'wait'
  readonly message: string
  readonly learns?: Learns<Data>
  readonly byHand?: ByHand<Data>
  readonly window_ms: number
}

/**
 * Another saga of this app, started in the same transaction and waited for however long it takes: it has its own timers and its own operator.
 * COMPLETED is success with what the child's `results` say; COMPENSATED is a refusal with its reason as the slug.
 */
export interface SagaAction<Data> {
  readonly kind: 'saga'
  readonly type: string
  readonly data: (saga: Saga<Data>) => JsonObject
  readonly learns?: Learns<Data>
  readonly byHand?: ByHand<Data>
}

export type Action<Data> = CommandAction<Data> | ActivityAction<Data> | WaitAction<Data> | SagaAction<Data>
export type Undo<Data> = CommandAction<Data> | ActivityAction<Data> | SagaAction<Data>

export interface Step<Data> {
  readonly name: string
  /** Absent: done before the saga began, and only its compensation is the saga's. */
  readonly does?: Action<Data>
  /** Undoes this step's effect and no other, whether the step happened, did not or nobody knows. Registered before the step goes out. */
  readonly undo?: Undo<Data>
  /** It begins together with the step before it, and what follows waits for both. A pivot is always alone. */
  readonly beside?: true
  /** Asked when the step's turn comes; false: left out. */
  readonly when?: (data: Data) => boolean
  /** Past it there is no way back: what fails is tried again, then handed to an operator. */
  readonly pivot?: true
  /** A no inside an accepted answer: the reason to turn back. */
  readonly objects?: (data: Data) => string | undefined
  /** The reason to turn back when refused; else the refusal's own slug. */
  readonly refusedBecause?: string | ((slug: string, data: Data) => string)
  /** The reason to turn back when its window is over; without it an operator is called. */
  readonly expiredBecause?: string
}

/** What a message from outside does. */
export interface Directive<Data> {
  readonly learns?: Patch<Data>
  /** It is the outcome of this step, told by another way. */
  readonly settles?: { readonly step: string } & (
    | { readonly outcome: 'succeeded'; readonly result: JsonObject }
    | { readonly outcome: 'refused'; readonly slug: string; readonly detail: string }
  )
  /** This step's activity has reason to run now: somebody knows that something happened, not what. */
  readonly hastens?: string
  /** Turn back now, for this reason, if the pivot is not passed. */
  readonly turnsBack?: string
}

/** A message to another saga of this app, or its start, delivered in the same transaction. Told once per id. */
export type Tell = { readonly id: string; readonly to: string } & (
  | { readonly name: string; readonly body: JsonObject }
  | { readonly starts: { readonly type: string; readonly correlationKey: string; readonly data: JsonObject } }
)

/**
 * A business process as an ordered list of steps. Steps run one after another, but for those that run `beside` the one before; turning back
 * runs all registered compensations at once (each undoes only its own step, so their order does not matter). A running instance keeps the
 * version that it started with.
 */
export interface SagaDefinition<Data> {
  readonly type: string
  readonly version: number
  readonly steps: readonly Step<Data>[]
  /** It begins past its pivot: what it is about has happened, and there is nothing to turn back from. */
  readonly onlyForward?: true
  readonly on?: Readonly<Record<string, (body: JsonObject, saga: Saga<Data>) => Directive<Data>>>
  readonly tells?: (saga: Saga<Data>) => readonly Tell[]
  /**
   * The data of an instance that comes here from another version: an operator moves it, or it had ended, its version is gone, and it is spoken
   * to. Without it the data stays as it is.
   */
  readonly migrates?: (data: JsonObject, from: number) => Data
  /** What the saga that started this one as its step learns when it is COMPLETED. */
  readonly results?: (saga: Saga<Data>) => JsonObject
  /** Messages to the world about the change of this saga from `before`; `version` is its stream's. */
  readonly publishes?: (
    saga: Saga<Data>,
    before: Saga<Data> | undefined,
    about: { readonly version: number; readonly at: number; readonly context: MessageContext },
  ) => readonly OutgoingMessage[]
}

export type AnySaga = SagaDefinition<JsonObject>

const NAME = /^[a-z][a-z0-9-]{0,62}$/

/**
 * Checks a definition and takes its data type away: streams hold JSON. A saga's data is only ever made by its own definition's functions, so
 * what they read is what they wrote; this cast is the one place that relies on it.
 */
export const defineSaga = <Data extends JsonObject>(definition: SagaDefinition<Data>): AnySaga => {
  const names = definition.steps.map(({ name }) => name)
  const wrong = [definition.type, ...names].find((name) => !NAME.test(name))
  if (wrong !== undefined) throw new Error(`${definition.type}: ${JSON.stringify(wrong)} is not a kebab-case name`)
  if (new Set(names).size !== names.length) throw new Error(`${definition.type}: two steps of one name`)
  const pivot = definition.steps.findIndex((step) => step.pivot)
  const astray = definition.steps.find((step, index) => step.undo && pivot >= 0 && index >= pivot)
  if (astray) throw new Error(`${definition.type}: ${astray.name} is at or past the pivot, where nothing is compensated`)
  const crowded = definition.steps.findIndex((step, index) => step.beside && (step.pivot || definition.steps[index - 1]?.pivot))
  if (crowded >= 0) throw new Error(`${definition.type}: nothing runs beside a pivot, as ${definition.steps[crowded]?.name} would`)
  const first = definition.steps.find(({ does }) => does)
  if (first?.beside) throw new Error(`${definition.type}: ${first.name} runs beside nothing`)
  return definition as unknown as AnySaga
}

/** The steps that go forward, each with those that run beside it. */
export const stagesOf = <Data>({ steps }: Pick<SagaDefinition<Data>, 'steps'>): readonly (readonly Step<Data>[])[] => {
  const stages: Step<Data>[][] = []
  for (const step of steps.filter(({ does }) => does)) {
    if (step.beside) stages.at(-1)?.push(step)
    else stages.push([step])
  }
  return stages
}

export const command = <Data>(
  message: CommandAction<Data>['message'],
  options: NoInfer<Partial<Pick<CommandAction<Data>, 'learns' | 'byHand' | 'repeatAfter_ms' | 'attempts'>>> = {},
): CommandAction<Data> => ({ kind: 'command', message, repeatAfter_ms: 30_000, attempts: 8, ...options })

export const activity = <Data>(
  name: string,
  options: NoInfer<
    Pick<ActivityAction<Data>, 'input'> & Partial<Pick<ActivityAction<Data>, 'learns' | 'byHand' | 'window_ms' | 'attempts' | 'backoff'>>
  >,
): ActivityAction<Data> => ({ kind: 'activity', activity: name, attempts: 20, backoff: { first_ms: 500, most_ms: 30_000 }, ...options })

export const waitFor = <Data>(
  message: string,
  options: NoInfer<Pick<WaitAction<Data>, 'window_ms' | 'learns' | 'byHand'>>,
): WaitAction<Data> => ({
  kind: 'wait',
  message,
  ...options,
})

export const subSaga = <Data>(type: string, options: NoInfer<Pick<SagaAction<Data>, 'data' | 'learns' | 'byHand'>>): SagaAction<Data> => ({
  kind: 'saga',
  type,
  ...options,
})

/** The definitions an app runs: the newest of a type starts new instances, older ones finish what they began. */
export class SagaDefinitions {
  readonly #byType = new Map<string, Map<number, AnySaga>>()

  constructor(definitions: readonly AnySaga[]) {
    for (const definition of definitions) {
      const versions = this.#byType.get(definition.type) ?? new Map<number, AnySaga>()
      if (versions.has(definition.version)) throw new Error(`${definition.type} v${definition.version} is defined twice`)
      this.#byType.set(definition.type, versions.set(definition.version, definition))
    }
  }

  newest(type: string): AnySaga {
    const versions = this.#byType.get(type)
    if (!versions) throw new UnknownDefinition(type)
    return this.of(type, Math.max(...versions.keys()))
  }

  of(type: string, version: number): AnySaga {
    const definition = this.#byType.get(type)?.get(version)
    if (!definition) throw new UnknownDefinition(type, version)
    return definition
  }

  has(type: string, version: number): boolean {
    return this.#byType.get(type)?.has(version) ?? false
  }
}

/** A deploy must not remove a definition that an instance still runs on. */
export class UnknownDefinition extends Error {
  constructor(type: string, version?: number) {
    super(`no definition of saga ${type}${version === undefined ? '' : ` v${version}`}`)
  }
}
