import {
  isRefusal,
  systemClock,
  type Clock,
  type Json,
  type OutgoingMessage,
  type Refusal,
  type Transaction,
  type Transactions,
} from '#kernel'
import {
  actDone,
  auditOf,
  CommandIdReused,
  type ActOutcome,
  type Answered,
  type Command,
  type Commands,
  type Decision,
  type SealedText,
  type StatesOf,
  type StreamRef,
  streamName,
} from '#event-store'
import { Problem, PROBLEM_JSON, problemBody, problemOfRefusal } from '../errors/problem.js'
import { ConsistencyToken } from './consistency-token.js'
import type { CommandRequest } from './http-command.js'

/** What an HTTP command decided. A refusal may be answered as it is. */
export interface HttpDecision {
  readonly appends?: Decision['appends']
  readonly messages?: readonly OutgoingMessage[]
  /** Instead of the spec's, where it depends (201 for a new one, 200 for a change). */
  readonly status?: number
  readonly body?: Json
  readonly location?: string
  readonly refused?: Refusal
}

export interface HttpCommandSpec {
  readonly streams: readonly StreamRef[]
  /** The resource's own aggregate: its version is the ETag, and what `If-Match` is held against. One of `streams`. Without one no ETag matches. */
  readonly target?: StreamRef
  /** What `If-Match` is held against where the resource is rows and no stream. */
  readonly version?: number
  /** When it is accepted. */
  readonly status: number
  /** Kept with the events, and never shown to customers. Words about a person come sealed. */
  readonly reason?: string | SealedText
  /** The business transaction, where the app knows it: the order's id. */
  readonly correlationId?: string
  /** Pure; may run more than once. It may throw a `Problem` (404): then nothing is kept. */
  decide(states: StatesOf): HttpDecision | Refusal
  /**
   * Opens what of an accepted answer's body is sealed. Answers are kept, so what is personal in them is kept sealed; each time one is given,
   * it is opened then, or left out once it was erased. It runs after the commit and waits for nothing: the keys are had before, so that a
   * command is not done and yet answered as if it had failed.
   */
  reveal?(body: Json): Json
  /**
   * Rows that commit with the events, written after them; none for a replay. It may be called in a run that is then rolled back, also for a
   * replay: what it does other than through `tx` must bear that. Needs `HttpCommands` with transactions.
   */
  alongside?(tx: Transaction): Promise<void>
}

/** An answer as it is kept and given again; the platform's interceptor writes it to the reply as it stands. */
export class RecordedAnswer {
  constructor(
    readonly status: number,
    readonly headers: Readonly<Record<string, string>>,
    readonly body: Json,
    readonly replayed: boolean,
  ) {}
}

export const idempotencyKeyReused = (): Problem =>
  new Problem(422, 'idempotency-key-reused', 'This Idempotency-Key was used before with another body.')

/** How long a repeat waits for the first to be answered. */
const IN_FLIGHT_LIMIT_MS = 5_000

/** The write side as HTTP sees it: idempotency, `If-Match`, ETag, consistency token and refusals over an event store's `Commands`. */
export class HttpCommands {
  readonly #inFlight = new Map<string, Promise<unknown>>()

  /** One for an app, for a repeat waits only for a first that came to the same one. */
  constructor(
    private readonly store: Commands & { readonly incarnation: string },
    private readonly clock: Clock = systemClock,
    private readonly transactions?: Transactions,
  ) {}

  /** Rejects with a `Problem` for what is not kept (409 in flight, 412, 422 key reused, what `decide` threw), or with the store's errors. */
  async execute(request: CommandRequest, spec: HttpCommandSpec): Promise<RecordedAnswer> {
    if (request.idempotencyKey === undefined) return this.#run(request, spec)
    const { commandId } = request
    const first = this.#inFlight.get(commandId)
    if (first) await this.#ended(first)
    const running = this.#run(request, spec)
    this.#inFlight.set(commandId, running)
    try {
      return await running
    } finally {
      if (this.#inFlight.get(commandId) === running) this.#inFlight.delete(commandId)
    }
  }

  /** Waits for the first command of this id to end either way. Whoever waited then asks the store, which knows the answer if one was kept. */
  async #ended(first: Promise<unknown>): Promise<void> {
    const limit = new AbortController()
    const tooLong = this.clock.sleep(IN_FLIGHT_LIMIT_MS, limit.signal).then(
      () => true,
      () => false,
    )
    const ended = first.then(
      () => false,
      () => false,
    )
    const timedOut = await Promise.race([ended, tooLong])
    limit.abort()
    if (!timedOut) return
    throw new Problem(409, 'idempotency-key-in-flight', 'The first call with this Idempotency-Key is still running.', {
      headers: { 'retry-after': '1' },
    })
  }

  async #run(request: CommandRequest, spec: HttpCommandSpec): Promise<RecordedAnswer> {
    try {
      const command: Command = {
        id: request.commandId,
        fingerprint: request.fingerprint,
        streams: request.act ? [...spec.streams, auditOf(request.caller.sub)] : spec.streams,
        metadata: {
          ...request.context,
          ...(spec.correlationId !== undefined && { correlationId: spec.correlationId }),
          actor: request.caller.sub,
          origin: request.route,
          ...(spec.reason !== undefined && { reason: spec.reason }),
        },
        decide: (states) => audited(request, this.#decision(request, spec, states)),
      }
      const execute = (asked: Command) => (spec.alongside ? this.#together(asked, spec.alongside) : this.store.execute(asked))
      const { answer, replayed } = await execute(command).catch((error: unknown) => {
        if (!(error instanceof CommandIdReused)) throw error
        return execute({ ...command, fingerprint: request.unkeyedFingerprint() })
      })
      const { status, headers, body } = JSON.parse(answer) as Pick<RecordedAnswer, 'status' | 'headers' | 'body'>
      const shown = spec.reveal && status < 300 ? spec.reveal(body) : body
      return new RecordedAnswer(status, headers, shown, replayed)
    } catch (error) {
      if (error instanceof CommandIdReused) {
        throw idempotencyKeyReused()
      }
      throw error
    }
  }

  async #together(command: Command, alongside: (tx: Transaction) => Promise<void>): Promise<Answered> {
    const { transactions, store } = this
    if (!transactions) throw new Error('rows alongside a command need transactions')
    return transactions.run(async (tx) => {
      const [answered] = await store.executeAll([command], tx)
      if (!answered) throw new Error('the store answered no command')
      if (!answered.replayed) await alongside(tx)
      return answered
    })
  }

  #decision(request: CommandRequest, spec: HttpCommandSpec, states: StatesOf): Decided {
    checkVersion(request.ifMatch, spec.target ? states.of(spec.target).version : (spec.version ?? 0))
    const decided = spec.decide(states)
    const refusal = isRefusal(decided) ? decided : decided.refused
    const decision: HttpDecision = isRefusal(decided) ? {} : decided
    const messages = decision.messages
    if (refusal) {
      const problem = problemOfRefusal(refusal)
      const body = problemBody(problem, request.path, request.traceId)
      const answer = { status: problem.status, headers: { 'content-type': PROBLEM_JSON }, body }
      const { status } = problem
      return {
        appends: decision.appends ?? [],
        ...(messages && { messages }),
        answer: JSON.stringify(answer),
        status,
        refused: refusal.slug,
      }
    }
    const appends = decision.appends ?? []
    const answer = {
      status: decision.status ?? spec.status,
      headers: this.#headers(spec, decision, appends, states),
      body: decision.body ?? null,
    }
    return { appends, ...(messages && { messages }), answer: JSON.stringify(answer), status: answer.status }
  }

  #headers(spec: HttpCommandSpec, decision: HttpDecision, appends: Decision['appends'], states: StatesOf): Record<string, string> {
    const versions = new Map<string, number>()
    const touch = (stream: StreamRef, events: number) => {
      const name = streamName(stream)
      versions.set(name, (versions.get(name) ?? states.of(stream).version) + events)
    }
    if (spec.target) touch(spec.target, 0)
    for (const { stream, events } of appends) touch(stream, events.length)
    const changed = [...versions].filter(([, version]) => version > 0)
    const target = spec.target && versions.get(streamName(spec.target))
    return {
      'content-type': 'application/json; charset=utf-8',
      ...(decision.location !== undefined && { location: decision.location }),
      ...(target !== undefined && { etag: `"${target}"` }),
      'consistency-token': ConsistencyToken.encode({ incarnation: this.store.incarnation, streams: Object.fromEntries(changed) }),
    }
  }
}

type Decided = Decision & ActOutcome

/** A privileged act and its entry in the audit trail are one append. No reader waits for the entry: it is in no token, and no ETag counts it. */
const audited = ({ act, caller }: CommandRequest, { status, refused, ...decision }: Decided): Decision =>
  act ? { ...decision, appends: [...decision.appends, actDone(caller.sub, act, { status, ...(refused && { refused }) })] } : decision

const checkVersion = (expected: CommandRequest['ifMatch'], actual: number): void => {
  if (expected === undefined || (expected === '*' ? actual > 0 : expected === actual)) return
  throw new Problem(412, 'version-mismatch', 'The resource has moved on from the version in If-Match.')
}
