import { TOPICS } from '#contracts'
import { OrderBooks } from './invariants/order-books.js'
import { StockCount } from './invariants/stock-count.js'
import { Tail } from './invariants/tail.js'
import { WalletLedger } from './invariants/wallet-ledger.js'
import { Wire } from './invariants/wire.js'
import type { Clients } from './clients.js'
import type { Deliveries } from './deliveries.js'
import type { Platform } from './platform.js'
import type { Scheduler } from './scheduler.js'
import { Violation } from './violation.js'
import { WalletReads } from '../../apps/wallet/reads.js'

/** Checks after each step what must always hold, from what is committed alone. */
export class Observer {
  readonly books: OrderBooks
  readonly #wallets = new WalletLedger()
  readonly #stock = new StockCount()
  readonly #wire: Wire
  readonly #tails
  readonly #walletIds = new Set<string>()
  /** Entries in the audit trail, by the command that they are of. */
  readonly #acts = new Map<string, number>()

  constructor(
    private readonly scheduler: Scheduler,
    private readonly platform: Platform,
    private readonly deliveries: Deliveries,
    private readonly clients: Clients,
  ) {
    this.books = new OrderBooks(this.#wallets, this.#stock, platform.provider)
    const { orders, wallets, sagas, fraud } = platform.databases
    this.#tails = [orders, wallets, sagas, fraud].map(({ data }) => new Tail(data))
    const outboxes = [orders, wallets, sagas, fraud].map((database) => ({ database, outbox: database.open(scheduler.clock).outbox }))
    this.#wire = new Wire(platform.broker, TOPICS, outboxes)
  }

  /** Throws a `Violation`. */
  async check(): Promise<void> {
    this.clients.check()
    for (const tail of this.#tails) for (const event of tail.fresh()) this.#take(event)
    this.#wallets.check()
    this.books.checkProvider()
    this.deliveries.check(this.platform.broker)
    for (const each of this.clients.acknowledged.splice(0)) {
      const { commandId, data, answer, act } = each
      if (data.commands.get(commandId) === undefined) throw new Violation(6, `acknowledged and not durable: ${answer}`)
      const entries = this.#acts.get(commandId) ?? 0
      if (entries !== (act ? 1 : 0)) throw new Violation(6, `${entries} entries in the audit trail of what was answered: ${answer}`)
      this.#acknowledged.push(each)
    }
    await this.#wire.check()
  }

  /** Nothing is under way and nothing will come by itself but polls. */
  get atRest(): boolean {
    const { platform, clients } = this
    return (
      clients.done &&
      platform.provider.outstanding === 0 &&
      platform.processes.every(({ up }) => up) &&
      this.books.unended().length === 0 &&
      this.#wire.drained &&
      this.#lag().length === 0
    )
  }

  /** Why it is not at rest. */
  pending(): readonly string[] {
    const { platform, clients } = this
    return [
      ...(clients.done ? [] : ['clients wait']),
      ...(platform.provider.outstanding === 0 ? [] : [`${platform.provider.outstanding} payments or webhooks are outstanding`]),
      ...platform.processes.filter(({ up }) => !up).map(({ name }) => `${name} is down`),
      ...(this.#wire.drained ? [] : ['a relay is behind']),
      ...this.#lag(),
      ...this.books.unended(),
    ]
  }

  /** Everything has come to rest: the books agree, and what was acknowledged is there. */
  async checkEnd(): Promise<void> {
    this.books.checkEnd()
    this.#wallets.checkEnd()
    for (const { commandId, data, answer } of this.#acknowledged) {
      if (data.commands.get(commandId)?.answer === undefined) throw new Violation(6, `acknowledged and lost: ${answer}`)
    }
    const reads = new WalletReads(this.platform.databases.wallets.open(this.scheduler.clock))
    for (const walletId of this.#walletIds) {
      const { ok, faults } = await reads.verify(walletId)
      if (!ok) throw new Violation(2, `wallet ${walletId}: ${faults.join(', ')}`)
    }
    for (const { app, consumers } of Object.values(this.platform.databases)) {
      const [letter] = consumers.parked()
      if (letter) throw new Violation(6, `${app} parked ${letter.id}: ${letter.failure.errorClass} ${letter.failure.message}`)
    }
  }

  readonly #acknowledged: Clients['acknowledged'] = []

  /** Consumers that are behind. */
  #lag(): readonly string[] {
    return Object.values(this.platform.databases).flatMap(({ app, consumers }) => [
      ...(consumers.waiting > 0 ? [`${consumers.waiting} messages are put aside at ${app}`] : []),
      ...this.deliveries.behind(app, this.platform.broker),
    ])
  }

  #take(event: Parameters<OrderBooks['takeOrder']>[0]): void {
    const category = event.stream.slice(0, event.stream.indexOf('-'))
    switch (category) {
      case 'order':
        return this.books.takeOrder(event)
      case 'stock':
        return this.#stock.takeStock(event)
      case 'reservation':
        return this.#stock.takeReservation(event)
      case 'saga':
        return this.books.takeSaga(event)
      case 'audit':
        this.#acts.set(event.commandId, (this.#acts.get(event.commandId) ?? 0) + 1)
        return
      case 'wallet':
        if (event.stream.startsWith('wallet-owner-')) return
        this.#walletIds.add(event.stream.slice('wallet-'.length))
        return this.#wallets.take(event)
    }
  }
}
