import type { EventStore } from '#event-store'
import type { Clock, Ids, Transactions } from '#kernel'
import { HttpCommands, Metrics } from '#platform'
import { SagaEngine, SagaInbox, type SagaStore } from '#saga'
import { Inject, Injectable, Module, type DynamicModule } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { OperateSagaHandler } from './commands/operate-saga.js'
import { OperateSagasHandler } from './commands/operate-sagas.js'
import { RefundPaymentHandler } from './commands/refund-payment.js'
import { SagaOperationsController } from './http/operations.controller.js'
import { PaymentsController } from './http/payments.controller.js'
import { AnyPayment, RefundsController } from './http/refunds.controller.js'
import { AnySaga, SagasController } from './http/sagas.controller.js'
import { WebhooksController } from './http/webhooks.controller.js'
import { SagasConsumer } from './messages/sagas.consumer.js'
import { CircuitBreaker } from './provider/circuit-breaker.js'
import { CLOCK, IDS, SAGAS, STORE, TRANSACTIONS } from './tokens.js'
import { WebhookInbox } from './webhooks/webhook-inbox.js'

/** Measured when it is scraped. */
@Injectable()
class PaymentSagaMetrics {
  constructor(
    @Inject(Metrics) metrics: Metrics,
    @Inject(SAGAS) sagas: SagaStore,
    @Inject(CircuitBreaker) breaker: CircuitBreaker,
    @Inject(WebhookInbox) webhooks: WebhookInbox,
  ) {
    metrics.gauge('sagas', 'Sagas by type and status.', ['type', 'status'], async (gauge) => {
      gauge.reset()
      for (const { type, status, count } of await sagas.counts()) gauge.set({ type, status }, count)
    })
    metrics.gauge(
      'provider_webhooks',
      'Webhooks not worked on: waiting, or given up after too many failures.',
      ['state'],
      async (gauge) => {
        const { waiting, givenUp } = await webhooks.counts()
        gauge.set({ state: 'waiting' }, waiting)
        gauge.set({ state: 'given-up' }, givenUp)
      },
    )
    metrics.gauge('provider_circuit', 'The circuit breaker of the payment provider: 1 for the state it is in.', ['state'], (gauge) => {
      for (const state of ['closed', 'open', 'half-open'] as const) gauge.set({ state }, breaker.state === state ? 1 : 0)
    })
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
  readonly breaker: CircuitBreaker
}

@Module({})
export class PaymentSagaModule {
  static with({ store, sagas, engine, inbox, webhooks, transactions, clock, ids, breaker }: PaymentSagaParts): DynamicModule {
    return {
      module: PaymentSagaModule,
      imports: [CqrsModule.forRoot()],
      controllers: [PaymentsController, RefundsController, SagaOperationsController, SagasController, WebhooksController, SagasConsumer],
      providers: [
        { provide: STORE, useValue: store },
        { provide: SAGAS, useValue: sagas },
        { provide: HttpCommands, useValue: new HttpCommands(store, clock, transactions) },
        { provide: CLOCK, useValue: clock },
        { provide: IDS, useValue: ids },
        { provide: TRANSACTIONS, useValue: transactions },
        { provide: SagaEngine, useValue: engine },
        { provide: SagaInbox, useValue: inbox },
        { provide: WebhookInbox, useValue: webhooks },
        { provide: CircuitBreaker, useValue: breaker },
        PaymentSagaMetrics,
        AnySaga,
        AnyPayment,
        RefundPaymentHandler,
        OperateSagaHandler,
        OperateSagasHandler,
      ],
    }
  }
}
