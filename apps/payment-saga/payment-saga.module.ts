import type { EventStore } from '#event-store'
import type { Clock, Transactions } from '#kernel'
import { SagaEngine, SagaInbox, type SagaStore } from '#saga'
import { Injectable, Module, type DynamicModule, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { OperateSagaHandler } from './commands/operate-saga.js'
import { PaymentsController } from './http/payments.controller.js'
import { SagasController } from './http/sagas.controller.js'
import { WebhooksController } from './http/webhooks.controller.js'
import { SagasConsumer } from './messages/sagas.consumer.js'
import { CLOCK, SAGAS, STORE, TRANSACTIONS } from './tokens.js'
import { WebhookInbox } from './webhooks/webhook-inbox.js'

type Step = () => Promise<unknown> | void

/** Starts with the app, and stops after its server and consumers have closed, so that what was under way still finds its connections. */
@Injectable()
export class PaymentSagaLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly starts: readonly Step[],
    private readonly stops: readonly Step[],
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const start of this.starts) await start()
  }

  /** Each step is taken, also when one before it fails; the first failure is then thrown. */
  async onApplicationShutdown(): Promise<void> {
    const failures: unknown[] = []
    for (const stop of this.stops) {
      try {
        await stop()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
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
  readonly life: PaymentSagaLife
}

@Module({})
export class PaymentSagaModule {
  static with({ store, sagas, engine, inbox, webhooks, transactions, clock, life }: PaymentSagaParts): DynamicModule {
    return {
      module: PaymentSagaModule,
      imports: [CqrsModule.forRoot()],
      controllers: [PaymentsController, SagasController, WebhooksController, SagasConsumer],
      providers: [
        { provide: STORE, useValue: store },
        { provide: SAGAS, useValue: sagas },
        { provide: TRANSACTIONS, useValue: transactions },
        { provide: CLOCK, useValue: clock },
        { provide: SagaEngine, useValue: engine },
        { provide: SagaInbox, useValue: inbox },
        { provide: WebhookInbox, useValue: webhooks },
        { provide: PaymentSagaLife, useValue: life },
        OperateSagaHandler,
      ],
    }
  }
}
