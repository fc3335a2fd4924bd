import { CommandAnswered } from '#contracts'
import { memoryEventStore } from '#event-store/testing'
import type { IncomingMessage, OutgoingMessage, Transactions } from '#kernel'
import { FakeClock, memoryTransactions } from '#kernel/testing'
import { SagaDefinitions, type AnySaga } from '../definition.js'
import { SagaEngine } from '../engine.js'
import { SagaInbox, type Routes } from '../inbox.js'
import type { InputAnswer, SagaInput } from '../input.js'
import { sagaStream, type SagaState } from '../state.js'
import { SagaWorker, type Activity } from '../worker.js'
import { memorySagaStore } from './memory-store.js'

/** How another app answers a command. */
export type BenchAnswer =
  | { readonly accepted: Record<string, string | number | boolean> }
  | { readonly refused: string; readonly detail?: string }
  /** It got lost: the command will come again. */
  | 'lost'

export interface BenchOptions {
  readonly definitions: readonly AnySaga[]
  readonly routes?: Routes
  readonly activities?: Readonly<Record<string, Activity>>
  /** The other apps. The same command gets the same answer: the bench asks once per id. */
  answer?(message: OutgoingMessage): BenchAnswer
  /** Kill the process at its nth transaction: before it commits (what it did outside has happened), or after (and nobody was told). */
  readonly crash?: { readonly at: number; readonly when: 'before' | 'after' } | undefined
}

export class Crash extends Error {}

/**
 * Runs definitions with the real engine, inbox and worker on memory stores and a fake clock: messages come back as the other apps would
 * answer them, and time goes on by itself to whatever is due next.
 */
export class SagaBench {
  readonly clock = new FakeClock()
  readonly store = memorySagaStore(this.clock)
  engine: SagaEngine
  readonly sent: OutgoingMessage[] = []
  /** Transactions so far: the points where a process can be killed. */
  transactions = 0
  readonly errors: unknown[] = []
  readonly #events
  readonly #transactions: Transactions
  #inbox: SagaInbox
  readonly #answers = new Map<string, BenchAnswer>()
  #worker: { readonly worker: SagaWorker; readonly process: { dead: boolean } }
  #position = 0n
  #resend = 0n
  #offset = 0n
  #later: { at: number; deliver: () => Promise<void> }[] = []

  constructor(private readonly options: BenchOptions) {
    this.#events = memoryEventStore({ types: [sagaStream], publish: () => [], clock: this.clock, app: 'bench' })
    this.#transactions = this.#crashing(memoryTransactions())
    this.engine = this.#newEngine(options.definitions)
    this.#inbox = new SagaInbox(this.engine, options.routes ?? {})
    this.#worker = this.#newWorker()
  }

  /** The next version of the app, with these definitions, on what the one before it left. */
  deploy(definitions: readonly AnySaga[]): void {
    this.engine = this.#newEngine(definitions)
    this.#inbox = new SagaInbox(this.engine, this.options.routes ?? {})
    this.#worker = this.#newWorker()
  }

  /** Delivers a message of the log as a consumer does: until its transaction is acknowledged. */
  async deliver(message: OutgoingMessage, id = message.id ?? `m-${this.#offset}`): Promise<void> {
    const incoming = this.#incoming(message, id)
    await this.#untilAcknowledged(() => this.#transactions.run(async (tx) => (await this.#inbox.handle([incoming]))(tx)))
  }

  async apply(...inputs: readonly SagaInput[]): Promise<readonly InputAnswer[]> {
    return (await this.#untilAcknowledged(() => this.#transactions.run((tx) => this.engine.apply(inputs, tx)))) ?? []
  }

  /** Something that happens after a time: a webhook, a person's decision. */
  later(delay_ms: number, deliver: () => Promise<void>): void {
    this.#later.push({ at: this.clock.now() + delay_ms, deliver })
  }

  async state(sagaId: string): Promise<SagaState> {
    return (await this.#events.load({ type: sagaStream, id: sagaId })).state
  }

  /** Runs until nothing is left to do, or until nothing is due within `horizon_ms`. Throws when it goes on for more than so many turns. */
  async run(horizon_ms = 30 * 24 * 3_600_000, most = 5_000): Promise<void> {
    const end = this.clock.now() + horizon_ms
    for (let turns = 0; turns < most; turns++) {
      if (await this.#deliverNext()) continue
      if (await this.#runDue()) continue
      const next = await this.#nextTime()
      if (next === undefined || next > end) return
      this.clock.advance(Math.max(next - this.clock.now(), 0))
      const due = this.#later.filter(({ at }) => at <= this.clock.now())
      this.#later = this.#later.filter(({ at }) => at > this.clock.now())
      for (const { deliver } of due) await deliver()
    }
    throw new Error('the saga goes on and on')
  }

  /** A worker that was killed in its transaction is gone, with all that it ran: what it held waits for its lease. */
  async #runDue(): Promise<number> {
    const { worker, process } = this.#worker
    const tasks = await worker.runDue()
    if (process.dead) this.#restart()
    return tasks
  }

  async #nextTime(): Promise<number | undefined> {
    const dueIn_ms = await this.store.dueIn()
    const times = [dueIn_ms === undefined ? undefined : this.clock.now() + dueIn_ms, ...this.#later.map(({ at }) => at)].filter(
      (time) => time !== undefined,
    )
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Relays one outgoing message and delivers its answer. */
  async #deliverNext(): Promise<boolean> {
    const [entry] = await this.#events.outbox.after(this.#position, 1)
    if (!entry) return false
    this.#position = entry.position
    for (const message of entry.messages) {
      this.sent.push(message)
      const answer = this.#answerTo(message)
      if (answer !== 'lost' && answer !== undefined)
        await this.deliver(answered(message, answer), `answer to ${message.id} at ${entry.position}`)
    }
    return true
  }

  #answerTo(message: OutgoingMessage): BenchAnswer | undefined {
    if (message.id === undefined || !this.options.answer) return undefined
    const before = this.#answers.get(message.id)
    if (before !== undefined && before !== 'lost') return before
    const answer = this.options.answer(message)
    this.#answers.set(message.id, answer)
    return answer
  }

  async #untilAcknowledged<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      // The message is delivered again.
      this.#restart()
      return await work()
    }
  }

  /** A new process: it has forgotten what it ran, and the relay sends again from its last mark. */
  #restart(): void {
    this.#worker = this.#newWorker()
    this.#position = this.#resend
  }

  #crashing(inner: Transactions): Transactions {
    return {
      run: async (work) => {
        const here = ++this.transactions
        const { at, when } = this.options.crash ?? { at: -1, when: 'before' }
        const result = await inner.run(async (tx) => {
          const done = await work(tx)
          if (here === at && when === 'before') throw new Crash('killed before commit')
          return done
        })
        if (here === at && when === 'after') throw new Crash('killed after commit')
        this.#resend = this.#position
        return result
      },
    }
  }

  #newEngine(definitions: readonly AnySaga[]): SagaEngine {
    const { clock, store } = this
    return new SagaEngine({ commands: this.#events, store, definitions: new SagaDefinitions(definitions), clock, app: 'bench' })
  }

  #newWorker(): { readonly worker: SagaWorker; readonly process: { dead: boolean } } {
    const { engine, store, clock } = this
    const { activities = {} } = this.options
    const process = { dead: false }
    // The worker takes a crash for one more failure and would try again: the dead do not.
    const transactions: Transactions = {
      run: async (work) => {
        if (process.dead) throw new Crash('it is dead')
        try {
          return await this.#transactions.run(work)
        } catch (error) {
          process.dead = error instanceof Crash
          throw error
        }
      },
    }
    const worker = new SagaWorker({
      engine,
      store,
      clock,
      activities,
      transactions,
      // A killed worker leaves its task to the lease.
      onError: (error) => void (error instanceof Crash || this.errors.push(error)),
    })
    return { worker, process }
  }

  #incoming(message: OutgoingMessage, id: string): IncomingMessage {
    const offset = this.#offset++
    const origin = { incarnation: 'bench', position: offset, ordinal: 0 }
    return { ...message, id, partition: 0, offset, source: 'bench', origin, time: this.clock.now() }
  }
}

const answered = (command: OutgoingMessage, answer: Exclude<BenchAnswer, 'lost'>): OutgoingMessage => {
  const replyTo = String(command.data['replyTo'])
  const about = { replyTo, commandId: command.id ?? '', command: command.type }
  const data =
    'accepted' in answer
      ? { ...about, outcome: 'accepted' as const, result: answer.accepted }
      : { ...about, outcome: 'refused' as const, slug: answer.refused, detail: answer.detail ?? answer.refused }
  return CommandAnswered.message(replyTo, data, command.context)
}
