import {
  CATALOGUE_EVENTS,
  FRAUD_COMMANDS,
  FRAUD_EVENTS,
  ORDERS_COMMANDS,
  ORDERS_EVENTS,
  PAYMENTS_EVENTS,
  REPLIES,
  STOCK_COMMANDS,
  STOCK_EVENTS,
  TOPICS,
  WALLET_COMMANDS,
  WALLET_EVENTS,
} from '#contracts'
import type { EventStore } from '#event-store'
import { memorySubjectKeys } from '#event-store/testing'
import { DEFAULT_SCORECARD, scorecardScorer } from '#fraud'
import { ZERO, type Ids } from '#kernel'
import { countingIds, seededRandom } from '#kernel/testing'
import { Consumer, messagingTopics, Relay, type BatchHandler } from '#messaging'
import { MemoryBroker } from '#messaging/testing'
import { GST_RATES } from '#order'
import { COD_ROWS, PAYMENT_PLANS } from '#payment'
import { HttpCommands, publishingActs } from '#platform'
import { AppliedVersions } from '#projections'
import { memoryRows } from '#projections/testing'
import { SagaDefinitions, SagaEngine, SagaInbox, SagaWorker } from '#saga'
import { memorySagaStore } from '#saga/testing'
import { DEFAULT_LIMITS } from '#wallet'
import { AlertCommands } from '../../apps/fraud/alerts/alert-commands.js'
import { AlertTimeouts } from '../../apps/fraud/alerts/alert-timeouts.js'
import { DecideAlertHandler } from '../../apps/fraud/commands/decide-alert.js'
import { FraudConsumer } from '../../apps/fraud/messages/fraud.consumer.js'
import { publish as publishFraud } from '../../apps/fraud/publish.js'
import { OrderOutcomes } from '../../apps/fraud/scoring/order-outcomes.js'
import { ScoreTransactions } from '../../apps/fraud/scoring/score-transactions.js'
import { MemoryAlertStore, MemoryFeatureStore } from '../../apps/fraud/testing/index.js'
import { ChangeOrderHandler } from '../../apps/order-command/commands/change-order.js'
import { MoveStockHandler } from '../../apps/order-command/commands/move-stock.js'
import { PlaceOrderHandler } from '../../apps/order-command/commands/place-order.js'
import { PutProductHandler } from '../../apps/order-command/commands/put-product.js'
import { OrderCommandsConsumer } from '../../apps/order-command/messages/order-commands.consumer.js'
import { StockCommandsConsumer } from '../../apps/order-command/messages/stock-commands.consumer.js'
import { publish as publishOrders } from '../../apps/order-command/publish.js'
import type { Rules as OrderRules } from '../../apps/order-command/rules.js'
import { streamTypes as orderTypes } from '../../apps/order-command/streams.js'
import { EventsConsumer } from '../../apps/order-query/messages/events.consumer.js'
import { noCache } from '../../apps/order-query/read-models/read-cache.js'
import { PROJECTED_CATEGORIES } from '../../apps/order-query/projection.js'
import { RefundPaymentHandler } from '../../apps/payment-saga/commands/refund-payment.js'
import { routes } from '../../apps/payment-saga/messages/routes.js'
import { SagasConsumer } from '../../apps/payment-saga/messages/sagas.consumer.js'
import { paymentActivities } from '../../apps/payment-saga/provider/activities.js'
import { sagaDefinitions } from '../../apps/payment-saga/sagas/definitions.js'
import { memoryWebhookStore } from '../../apps/payment-saga/testing/memory-webhook-store.js'
import { sandboxWebhooks } from '../../apps/payment-saga/provider/sandbox/webhooks.js'
import { WebhookInbox } from '../../apps/payment-saga/webhooks/webhook-inbox.js'
import { signatureOf } from '../../apps/provider-sandbox/webhooks.js'
import { LoadWalletHandler } from '../../apps/wallet/commands/load-wallet.js'
import { MoveMoneyHandler, TransferMoneyHandler } from '../../apps/wallet/commands/move-money.js'
import { OpenWalletHandler } from '../../apps/wallet/commands/open-wallet.js'
import { handleWalletCommands } from '../../apps/wallet/messages/wallet-commands.js'
import { publishWallet } from '../../apps/wallet/publish.js'
import { Rules as WalletRules } from '../../apps/wallet/rules.js'
import { streamTypes as alertTypes } from '../../apps/fraud/streams.js'
import { streamTypes as sagaTypes } from '../../apps/payment-saga/streams.js'
import { streamTypes as walletTypes } from '../../apps/wallet/streams.js'
import { Database } from './database.js'
import type { Deliveries } from './deliveries.js'
import type { Plant } from './plant.js'
import { ConnectionLost, Process, type Life } from './process.js'
import { SimulatedProvider } from './provider.js'
import type { Scheduler } from './scheduler.js'

const PARTITIONS = 2
const UPI_WINDOW_SECONDS = 20
const REVIEW_TIMEOUT_MS = 30_000
/** More than elsewhere, so that most runs have samples. */
const SAMPLE_SHARE = 0.25
const WEBHOOK_SECRET = 'a secret of sixteen'
/** The slow polls behind the doorbells. */
const POLL_MS = 15_000
/** Production looks twice a second for alerts whose time is over; here every five seconds. */
const ALERTS_SLOWER = 10

const scorer = scorecardScorer(DEFAULT_SCORECARD)

/** The apps, each a process of its own over its own database, and the log between them: production code on ports that the scheduler holds. */
export class Platform {
  readonly broker = new MemoryBroker()
  readonly ids: Ids = countingIds()
  readonly databases = {
    orders: new Database('order-command', orderTypes, publishingActs(publishOrders)),
    wallets: new Database('wallet', walletTypes, publishingActs(publishWallet)),
    sagas: new Database(
      'payment-saga',
      sagaTypes,
      publishingActs(() => []),
    ),
    fraud: new Database('fraud', alertTypes, publishingActs(publishFraud)),
    reads: new Database('order-query', [], () => []),
  }
  readonly alerts = new MemoryAlertStore()
  readonly rows = memoryRows()
  readonly sagas
  readonly provider: SimulatedProvider
  readonly orderCommand
  readonly wallet
  readonly paymentSaga
  readonly fraud
  readonly orderQuery
  readonly #features = new MemoryFeatureStore()
  readonly #webhooks = memoryWebhookStore()
  readonly #subjectKeys
  readonly #sealing

  constructor(
    private readonly scheduler: Scheduler,
    private readonly deliveries: Deliveries,
    private readonly plant: Plant,
    seed: number,
  ) {
    this.sagas = memorySagaStore(scheduler.clock)
    for (const name of TOPICS) this.broker.ensure({ name, partitions: PARTITIONS, retention_ms: 1 })
    for (const topic of messagingTopics) this.broker.ensure(topic)
    this.#sealing = seededRandom(seed)
    this.#subjectKeys = memorySubjectKeys(this.#sealing)
    this.provider = new SimulatedProvider(
      scheduler,
      this.ids,
      { seed, upiWindow_seconds: UPI_WINDOW_SECONDS, lostWebhookDelay_ms: 45_000 },
      (body) => this.#webhook(body),
    )
    this.orderCommand = this.#process(this.databases.orders, (life) => this.#buildOrderCommand(life))
    this.wallet = this.#process(this.databases.wallets, (life) => this.#buildWallet(life))
    this.paymentSaga = this.#process(this.databases.sagas, (life) => this.#buildPaymentSaga(life))
    this.fraud = this.#process(this.databases.fraud, (life) => this.#buildFraud(life))
    this.orderQuery = this.#process(this.databases.reads, (life) => this.#buildOrderQuery(life))
  }

  get processes(): readonly Process<unknown>[] {
    return [this.orderCommand, this.wallet, this.paymentSaga, this.fraud, this.orderQuery]
  }

  start(): void {
    for (const process of this.processes) process.start()
  }

  stop(): void {
    for (const process of this.processes) process.stop()
  }

  #process<App>({ app, data }: Database, build: (life: Life) => App): Process<App> {
    return new Process(this.scheduler, app, this.broker, build, () => data.crash())
  }

  #buildOrderCommand(life: Life) {
    const { store, http } = this.#store(life, this.databases.orders)
    const { clock } = life
    const rules: OrderRules = {
      sellerState: 'KA',
      shipping: ZERO,
      gstRates: GST_RATES,
      cod: COD_ROWS,
      plans: PAYMENT_PLANS,
      fraudHashKey: 'f'.repeat(32),
    }
    const orders = new OrderCommandsConsumer(store, clock)
    const stock = new StockCommandsConsumer(store)
    this.#consume(life, this.databases.orders, {
      [ORDERS_COMMANDS]: (messages) => orders.handle(messages),
      [STOCK_COMMANDS]: (messages) => stock.handle(messages),
    })
    return {
      putProduct: new PutProductHandler(http),
      moveStock: new MoveStockHandler(http),
      placeOrder: new PlaceOrderHandler(http, this.#subjectKeys, rules, clock, this.ids, this.#sealing),
      changeOrder: new ChangeOrderHandler(http, store, this.#subjectKeys, clock, this.#sealing),
    }
  }

  #buildWallet(life: Life) {
    const { store, http } = this.#store(life, this.databases.wallets)
    const production = new WalletRules(DEFAULT_LIMITS, life.clock, this.ids)
    const rules = this.plant.walletRules?.(production) ?? production
    this.#consume(life, this.databases.wallets, { [WALLET_COMMANDS]: handleWalletCommands(store, rules) })
    return {
      openWallet: new OpenWalletHandler(http, rules),
      loadWallet: new LoadWalletHandler(http, rules, this.#subjectKeys),
      moveMoney: new MoveMoneyHandler(http, rules),
      transferMoney: new TransferMoneyHandler(http, rules),
    }
  }

  #buildPaymentSaga(life: Life) {
    const { store, http } = this.#store(life, this.databases.sagas)
    const { clock, transactions } = life
    const { plant } = this
    const sagas = plant.sagaStore?.(this.sagas) ?? this.sagas
    const definitions = sagaDefinitions({ UPI_WINDOW_SECONDS, REVIEW_WAIT_SECONDS: 600 })
    const engine = new SagaEngine({
      commands: store,
      store: sagas,
      definitions: new SagaDefinitions(plant.definitions?.(definitions) ?? definitions),
      clock,
      app: 'payment-saga',
    })
    const activities = paymentActivities({ provider: this.provider.port(life), sealed: this.#subjectKeys, settle_ms: 9_000 })
    const worker = new SagaWorker(
      {
        engine,
        random: this.scheduler.random,
        store: {
          claim: (options) => life.write('claim tasks', () => sagas.claim(options)),
          held: (claims, tx) => sagas.held(claims, tx),
          beat: (options) => life.write('beat', () => sagas.beat(options)),
          dueIn: () => sagas.dueIn(),
          onDoorbell: (ring) => sagas.onDoorbell(() => void (life.alive && ring())),
        },
        transactions,
        clock,
        activities: plant.activities?.(activities) ?? activities,
        onError: (error, during) => life.note(`${during}: ${String(error)}`),
      },
      { poll_ms: POLL_MS, beat_ms: POLL_MS },
    )
    const webhooks = new WebhookInbox({
      store: {
        ...this.#webhooks,
        keep: (webhook, now, most) => life.write('keep webhook', () => this.#webhooks.keep(webhook, now, most)),
        pending: (limit, attempts, now) => life.read('read webhooks', () => this.#webhooks.pending(limit, attempts, now)),
      },
      engine,
      transactions,
      clock,
      providers: { sandbox: sandboxWebhooks(WEBHOOK_SECRET) },
    })
    const consumer = new SagasConsumer(new SagaInbox(engine, plant.routes?.(routes) ?? routes))
    this.#consume(life, this.databases.sagas, {
      [ORDERS_EVENTS]: (messages) => consumer.onOrders(messages),
      [FRAUD_EVENTS]: (messages) => consumer.onFraud(messages),
      [WALLET_EVENTS]: (messages) => consumer.onWallets(messages),
      [REPLIES]: (messages) => consumer.onReplies(messages),
    })
    void worker.start()
    webhooks.start()
    return { webhooks, refundPayment: new RefundPaymentHandler(engine, http) }
  }

  #buildFraud(life: Life) {
    const { store } = this.#store(life, this.databases.fraud)
    const { clock, transactions } = life
    const { alerts } = this
    const commands = new AlertCommands(store, alerts, transactions)
    const features = {
      read: (candidates: Parameters<MemoryFeatureStore['read']>[0]) => life.read('read features', () => this.#features.read(candidates)),
      record: this.#features.record.bind(this.#features),
      recordOutcomes: this.#features.recordOutcomes.bind(this.#features),
    }
    const models = { current: () => Promise.resolve(scorer) }
    const { ids, scheduler } = this
    const bounds = { reviewTimeout_ms: REVIEW_TIMEOUT_MS, sampleShare: SAMPLE_SHARE }
    const scoring = new ScoreTransactions({ features, models, commands, clock, ids, random: scheduler.random, ...bounds })
    const consumer = new FraudConsumer(scoring, new OrderOutcomes(features))
    this.#consume(life, this.databases.fraud, {
      [FRAUD_COMMANDS]: (messages) => consumer.onCommands(messages),
      [ORDERS_EVENTS]: (messages) => consumer.onOrders(messages),
      [PAYMENTS_EVENTS]: (messages) => consumer.onPayments(messages),
    })
    new AlertTimeouts({ alerts, commands, transactions, clock: life.slowClock(ALERTS_SLOWER), random: scheduler.random }).start()
    return { decideAlert: new DecideAlertHandler(new HttpCommands(commands, clock), alerts, clock) }
  }

  #buildOrderQuery(life: Life) {
    const consumer = new EventsConsumer(this.rows, life.clock, noCache, () => undefined)
    this.#consume(life, this.databases.reads, {
      [ORDERS_EVENTS]: (messages) => consumer.orders(messages),
      [CATALOGUE_EVENTS]: (messages) => consumer.catalogue(messages),
      [STOCK_EVENTS]: (messages) => consumer.stock(messages),
      [PAYMENTS_EVENTS]: (messages) => consumer.payments(messages),
      [FRAUD_EVENTS]: (messages) => consumer.fraud(messages),
    })
    const rows = {
      applied: (streams: readonly string[]) => life.read('read versions', () => this.rows.applied(streams)),
      onApplied: (ring: () => void) => this.rows.onApplied(() => void (life.alive && ring())),
    }
    const versions = new AppliedVersions({ rows, clock: life.clock, categories: PROJECTED_CATEGORIES, poll_ms: POLL_MS })
    return { versions: this.plant.versions?.(versions) ?? versions }
  }

  /** The store of one life, its relay started. */
  #store(life: Life, database: Database): { readonly store: EventStore; readonly http: HttpCommands } {
    this.plant.restarted?.(database)
    const opened = database.open(life.clock)
    const { outbox } = opened
    const held: EventStore = {
      incarnation: opened.incarnation,
      execute: (command) => life.write('execute', () => opened.execute(command)),
      executeAll: (commands, tx) => opened.executeAll(commands, tx),
      load: (stream) => opened.load(stream),
      loadAt: (stream, at) => opened.loadAt(stream, at),
      readStream: (stream, options) => opened.readStream(stream, options),
      readAll: (options) => opened.readAll(options),
      verify: (stream) => opened.verify(stream),
      close: () => opened.close(),
      outbox: {
        incarnation: outbox.incarnation,
        after: (position, limit, to) => life.read('read outbox', () => outbox.after(position, limit, to)),
        lease: (owner, ttl_ms, to) => life.write('lease', () => outbox.lease(owner, ttl_ms, to)),
        advance: (epoch, position) => life.write('move position', () => outbox.advance(epoch, position)),
        release: (epoch) => outbox.release(epoch),
        onDoorbell: (ring) => outbox.onDoorbell(() => void (life.alive && ring())),
      },
    }
    const store = this.plant.store?.(held, life) ?? held
    const relay = new Relay({
      outbox: store.outbox,
      driver: life.log,
      app: database.app,
      clock: life.clock,
      random: this.scheduler.random,
      poll_ms: POLL_MS,
      leaseTtl_ms: 30_000,
      listener: { onError: ({ error }) => life.note(`the relay stands: ${String(error)}`) },
      page: 50,
    })
    void relay.start()
    return { store, http: new HttpCommands(store, life.clock, life.transactions) }
  }

  #consume(life: Life, database: Database, handlers: Readonly<Record<string, BatchHandler>>): void {
    const planted = this.plant.consumerStore?.(database.consumers, life) ?? database.consumers
    const consumerStore = this.deliveries.watchStore(database.app, planted)
    const watched = Object.entries(handlers).map(([topic, handler]): [string, BatchHandler] => {
      const watching = this.deliveries.watchHandler(database.app, topic, handler)
      return [topic, this.plant.handler?.(watching, topic, life) ?? watching]
    })
    const consumer = new Consumer(
      {
        driver: life.log,
        group: database.app,
        transactions: life.transactions,
        consumerStore,
        clock: life.clock,
        random: this.scheduler.random,
        deferredPoll_ms: POLL_MS,
        maxBatch: 20,
        listener: {
          onRetry: ({ partition, error }) => life.note(`${partition.topic}: comes again: ${String(error)}`),
          onDeferred: ({ partition, error }) => life.note(`${partition.topic}: put aside: ${String(error)}`),
          onParked: ({ id }) => life.note(`parked ${id}`),
        },
      },
      new Map(watched),
    )
    void consumer.start()
  }

  async #webhook(body: string): Promise<void> {
    const signature = signatureOf(WEBHOOK_SECRET, this.scheduler.clock.now(), body)
    const bytes = new TextEncoder().encode(body)
    const received = await this.paymentSaga.request('POST webhook', ({ webhooks }) => webhooks.receive('sandbox', bytes, () => signature))
    if (received !== 'kept') throw new ConnectionLost(`webhook: ${received}`)
  }
}
