import { expect } from '@jest/globals'
import { CreditLoad, FailLoad, LoadRequested, RedirectLoad } from '#contracts'
import { isRefusal, paise, type OutgoingMessage } from '#kernel'
import { sagaIdFor, statusOf } from '#saga'
import { SagaBench, type BenchAnswer, type BenchOptions } from '#saga/testing'
import { book, DEFAULT_LIMITS, evolve, limitsFrom, NO_BOOKS, noWallet, walletDecider, type WalletCommand, type WalletEvent } from '#wallet'
import { routes } from '../messages/routes.js'
import { booksOf, paymentActivities } from '../provider/activities.js'
import { sagaDefinitions } from '../sagas/definitions.js'
import { WALLET_LOAD } from '../sagas/saga-types.js'
import { BooksOfProvider, type Luck, type ProviderFault } from './books.js'
import { payerReturns, WINDOW_MS } from './play.js'
import { askingLess, mend } from './provider-faults.js'

export const LOADED = '50000'
const { loadId, walletId, instrument } = LoadRequested.example
export const loadSagaId = sagaIdFor(WALLET_LOAD, loadId)
const context = { correlationId: loadId, causationId: 'test' }
const definitions = sagaDefinitions({ UPI_WINDOW_SECONDS: WINDOW_MS / 1_000, REVIEW_WAIT_SECONDS: 25 * 3_600 })
const decider = walletDecider(limitsFrom(DEFAULT_LIMITS))

/** What happens around a load. */
export interface LoadWorld {
  readonly method: 'upi' | 'card' | 'netbanking'
  readonly flow?: 'collect' | 'intent'
  readonly luck?: Luck
  readonly unheard?: 'capture' | 'all'
  /** What the provider authorises instead of what it was asked for. */
  readonly takes?: string
  /** What the provider does not do, or say, until an operator has been called and it is back. */
  readonly fault?: ProviderFault
  /** It is asked a few times instead of hundreds before a person is called. */
  readonly asksLess?: true
  /** The provider tells of each change by webhook, twice, besides answering. */
  readonly webhooks?: true
  /** The wallet is closed before its load is paid, or frozen, or filled up to its limit but for the load's room. */
  readonly meanwhile?: 'closed' | 'frozen' | 'filled'
}

/** One load from its request to its end: the wallet's rules as they are, and a provider's books. */
export class LoadPlay extends SagaBench {
  readonly events: WalletEvent[] = []
  readonly provider: BooksOfProvider
  /** Sagas that a person was called to. */
  called = 0

  constructor(
    readonly world: LoadWorld,
    crash?: BenchOptions['crash'],
  ) {
    const late: { clock: Pick<SagaBench['clock'], 'now'>; answer: (message: OutgoingMessage) => BenchAnswer } = {
      clock: { now: () => 0 },
      answer: () => 'lost',
    }
    const provider = new BooksOfProvider(() => late.clock, world.luck ?? 'success', WINDOW_MS, world)
    super({
      definitions: world.asksLess ? definitions.map(askingLess) : definitions,
      routes,
      activities: paymentActivities({ provider, sealed: { openAll: async () => ['instrument'] }, settle_ms: 9_000 }),
      answer: (message) => late.answer(message),
      ...(crash ? { crash } : {}),
    })
    this.provider = provider
    late.clock = this.clock
    late.answer = (message) => this.answer(message)
    if (world.method === 'netbanking' && !world.webhooks)
      provider.onAsked = (after_ms) => this.later(after_ms, () => payerReturns(this, loadSagaId, context))
  }

  get wallet() {
    return this.events.reduce(evolve, noWallet)
  }

  async play(): Promise<this> {
    const { method, flow, webhooks, meanwhile } = this.world
    const at_ms = this.clock.now()
    const payment = { method, ...(flow === undefined ? {} : { flow }), instrument, display: '…' }
    this.ask({ type: 'open', at_ms, ownerId: 'c-1', kyc: 'small' })
    this.ask({ type: 'request-load', at_ms, loadId, amount: paise(LOADED), payment })
    if (meanwhile === 'closed') this.ask({ type: 'close', at_ms, payoutId: 'p-1' })
    if (meanwhile === 'frozen') this.ask({ type: 'freeze', at_ms })
    if (meanwhile === 'filled') this.ask({ type: 'credit', at_ms, entryId: 'e-1', amount: paise('950000'), reference: 'r' })
    if (webhooks)
      for (const after_ms of [100, 4_000, WINDOW_MS + 3_500, WINDOW_MS + 3_600]) this.later(after_ms, () => this.webhook(after_ms))
    const { at, version, customerId } = LoadRequested.example
    const requested = { loadId, walletId, customerId, version, amount: LOADED, method, ...(flow ? { flow } : {}), instrument, at }
    await this.deliver(LoadRequested.message(walletId, requested, context), 'requested')
    await this.run()
    if (this.world.fault) this.called = await mend(this, context)
    return this
  }

  ask(command: WalletCommand): string | undefined {
    const decided = decider.decide(command, this.wallet)
    if (isRefusal(decided)) return decided.slug
    this.events.push(...decided)
    return undefined
  }

  answer({ type, data }: OutgoingMessage): BenchAnswer {
    const at_ms = this.clock.now()
    const refused =
      type === CreditLoad.type
        ? this.ask({ type: 'credit-load', at_ms, loadId })
        : type === FailLoad.type
          ? this.ask({ type: 'fail-load', at_ms, loadId, reason: String(data['reason']) })
          : 'unknown-command'
    return refused === undefined ? { accepted: {} } : { refused }
  }

  async webhook(nth: number): Promise<void> {
    const payment = this.provider.look()
    const about = { id: `w-${nth}`, sagaId: loadSagaId, context }
    if (payment) await this.apply({ kind: 'message', ...about, name: 'provider-payment', body: booksOf(payment) })
  }

  async end() {
    const ended = this.events.flatMap(({ type, data }) =>
      type === 'LoadCredited' ? ['credited'] : type === 'LoadFailed' ? [`failed ${data.reason}`] : [],
    )
    return { saga: statusOf(await this.state(loadSagaId)), load: ended.join(', ') }
  }

  /** Where its payer was told to go on, in order. */
  get nexts(): readonly unknown[] {
    return this.sent.filter(({ type }) => type === RedirectLoad.type).map(({ data }) => data['next'])
  }

  /** Credited and paid, or neither: the wallet's books, the provider's and the saga's say the same, and no room is kept. */
  async check(): Promise<void> {
    const { saga, load } = await this.end()
    const { fault } = this.world
    // What cannot be taken is undone, and needs nobody; what cannot be given back needs a person, unless it was given back unheard.
    if (fault?.is !== 'lost') expect(this.called > 0).toBe(fault !== undefined && fault.of !== 'capture' && load !== 'credited')
    const provider = this.provider.look()
    const atProvider = provider ? provider.captured - provider.refunded : 0n
    const paidIn = -balanceOfClearing(this.events)
    expect({ held: provider?.status === 'authorised', tasks: this.store.tasks(), errors: this.errors }).toEqual({
      held: false,
      tasks: [],
      errors: [],
    })
    expect({ atProvider, paidIn, loading: this.wallet.loading }).toEqual({ atProvider: paidIn, paidIn, loading: 0n })
    expect([saga, load.split(' ')[0], paidIn]).toEqual(
      load === 'credited' ? ['COMPLETED', 'credited', BigInt(LOADED)] : ['COMPENSATED', 'failed', 0n],
    )
  }
}

const balanceOfClearing = (events: readonly WalletEvent[]): bigint => {
  const { debits, credits } = events.reduce(book, NO_BOOKS)['provider-clearing']
  return credits - debits
}
