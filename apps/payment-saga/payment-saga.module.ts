import type { EventStore } from '#event-store'
import type { Clock, Ids, Transactions } from '#kernel'
import { HttpCommands, lookedAtOnce, Metrics } from '#platform'
import { SagaEngine, SagaInbox, type SagaStore } from '#saga'
import { Inject, Injectable, Module, type DynamicModule } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { OperateSagaHandler } from './commands/operate-saga.js'
import { OperateSagasHandler } from './commands/operate-sagas.js'
import { ReconcileHandler, ResolveCaseHandler } from './commands/reconcile.js'
import { RefundPaymentHandler } from './commands/refund-payment.js'
import { CallbacksController } from './http/callbacks.controller.js'
import { SagaOperationsController } from './http/operations.controller.js'
import { PaymentsController } from './http/payments.controller.js'
import { AnyCase, ReconciliationController } from './http/reconciliation.controller.js'
import { AnyPayment, RefundsController } from './http/refunds.controller.js'
import { AnySaga, SagasController } from './http/sagas.controller.js'
import { AnyDay, SettlementsController } from './http/settlements.controller.js'
import { WebhooksController } from './http/webhooks.controller.js'
import { Ledger } from './ledger/ledger.js'
import { Settlements } from './ledger/settlements.js'
import { TurnaroundClock } from './ledger/turnaround-clock.js'
import { LedgerConsumer } from './messages/ledger.consumer.js'
import { SagasConsumer } from './messages/sagas.consumer.js'
import { ProviderHttp } from './provider/http.js'
import { watchProvider } from './provider/metrics.js'
import { Reconciler } from './reconciliation/reconciler.js'
import { ReconciliationReports } from './reconciliation/reports.js'
import { CLOCK, IDS, RETURN_URL, SAGAS, STORE, TRANSACTIONS } from './tokens.js'
import { WebhookInbox } from './webhooks/webhook-inbox.js'

/** Measured when it is scraped. */
@Injectable()
class PaymentSagaMetrics {
  constructor(
    @Inject(Metrics) metrics: Metrics,
    @Inject(CLOCK) clock: Clock,
    @Inject(SAGAS) sagas: SagaStore,
    @Inject(ProviderHttp) http: ProviderHttp,
    @Inject(WebhookInbox) webhooks: WebhookInbox,
    @Inject(TurnaroundClock) turnarounds: TurnaroundClock,
    @Inject(ReconciliationReports) reconciliations: ReconciliationReports,
  ) {
    const differences = lookedAtOnce(() => reconciliations.counts())
    const running = lookedAtOnce(() => sagas.counts())
    metrics.gauge(
      'reconciliation_cases',
      'Open differences between the books of the payment provider and ours.',
      ['difference'],
      async (gauge) => {
        const { open } = await differences()
        for (const [difference, count] of Object.entries(open)) gauge.set({ difference }, count)
      },
    )
    metrics.gauge('reconciliation_failed_days', 'Days whose settlement file was broken, or never came.', [], async (gauge) => {
      gauge.set((await differences()).failedDays)
    })
    metrics.gauge('sagas', 'Sagas that have not ended, by type and status.', ['type', 'status'], async (gauge) => {
      const each = await running()
      gauge.reset()
      for (const { type, status, count } of each) gauge.set({ type, status }, count)
    })
    metrics.gauge('saga_oldest_seconds', 'Age of the oldest saga that has not ended.', ['type', 'status'], async (gauge) => {
      const each = await running()
      gauge.reset()
      for (const { type, status, since_ms } of each) gauge.set({ type, status }, Math.max(0, clock.now() - since_ms) / 1_000)
    })
    metrics.gauge(
      'provider_webhooks',
      'Webhooks not worked on: waiting, given up after too many failures, or (since the start of the process) signed and without effect.',
      ['state'],
      async (gauge) => {
        const { waiting, givenUp } = await webhooks.counts()
        gauge.set({ state: 'waiting' }, waiting)
        gauge.set({ state: 'given-up' }, givenUp)
        gauge.set({ state: 'unread' }, webhooks.unread)
      },
    )
    metrics.gauge(
      'payment_reversals',
      'Payments that are to be given back and are not yet, and how many of them are late by RBI’s turnaround times.',
      ['state'],
      async (gauge) => {
        const { awaited, late } = await turnarounds.counts()
        gauge.set({ state: 'awaited' }, awaited)
        gauge.set({ state: 'late' }, late)
      },
    )
    watchProvider(metrics, http)
  }
}

/** What the app stands on. */
export interface PaymentSagaParts {
  readonly store: EventStore
  readonly sagas: SagaStore
  readonly engine: SagaEngine
  readonly inbox: SagaInbox
  readonly webhooks: WebhookInbox
  readonly transactions: Transactions
  readonly clock: Clock
  readonly ids: Ids
  readonly http: ProviderHttp
  readonly ledger: Ledger
  readonly settlements: Settlements
  readonly turnarounds: TurnaroundClock
  readonly reconciler: Reconciler
  readonly reconciliations: ReconciliationReports
  readonly returnUrl: string | undefined
}

@Module({})
export class PaymentSagaModule {
  static with({
    store,
    sagas,
    engine,
    inbox,
    webhooks,
    transactions,
    clock,
    ids,
    http,
    returnUrl,
    ledger,
    settlements,
    turnarounds,
    reconciler,
    reconciliations,
  }: PaymentSagaParts): DynamicModule {
    return {
      module: PaymentSagaModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        PaymentsController,
        RefundsController,
        CallbacksController,
        SagaOperationsController,
        SagasController,
        SettlementsController,
        ReconciliationController,
        WebhooksController,
        SagasConsumer,
        LedgerConsumer,
      ],
      providers: [
        { provide: STORE, useValue: store },
        { provide: SAGAS, useValue: sagas },
        { provide: HttpCommands, useValue: new HttpCommands(store, clock, transactions) },
        { provide: CLOCK, useValue: clock },
        { provide: IDS, useValue: ids },
        { provide: RETURN_URL, useValue: returnUrl },
        { provide: TRANSACTIONS, useValue: transactions },
        { provide: SagaEngine, useValue: engine },
        { provide: SagaInbox, useValue: inbox },
        { provide: WebhookInbox, useValue: webhooks },
        { provide: ProviderHttp, useValue: http },
        { provide: Ledger, useValue: ledger },
        { provide: Settlements, useValue: settlements },
        { provide: TurnaroundClock, useValue: turnarounds },
        { provide: Reconciler, useValue: reconciler },
        { provide: ReconciliationReports, useValue: reconciliations },
        PaymentSagaMetrics,
        AnySaga,
        AnyPayment,
        AnyCase,
        AnyDay,
        ReconcileHandler,
        ResolveCaseHandler,
        RefundPaymentHandler,
        OperateSagaHandler,
        OperateSagasHandler,
      ],
    }
  }
}
