import type { EventStore } from '#event-store'
import type { FraudDecision } from '#fraud'
import type { Clock, Ids, Transactions } from '#kernel'
import type { Relay } from '#messaging'
import { HttpCommands, Metrics, Readiness } from '#platform'
import { Inject, Injectable, Module, type DynamicModule, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import type pg from 'pg'
import { AlertCommands } from './alerts/alert-commands.js'
import { AlertTimeouts } from './alerts/alert-timeouts.js'
import { PgAlertStore } from './alerts/pg-alert-store.js'
import { DecideAlertHandler } from './commands/decide-alert.js'
import { ScoreDescribedHandler } from './commands/score-described.js'
import type { FraudConfig } from './fraud.config.js'
import { AlertsController } from './http/alerts.controller.js'
import { ScoresController } from './http/scores.controller.js'
import { FraudConsumer } from './messages/fraud.consumer.js'
import { OrderOutcomes } from './scoring/order-outcomes.js'
import { PgFeatureStore } from './scoring/pg-feature-store.js'
import { ScoreTransactions } from './scoring/score-transactions.js'
import { PgScorecards } from './scoring/scorecards.js'
import { ALERTS, CLOCK, FEATURES, HASH_KEY, MODELS, STORE, TRANSACTIONS } from './tokens.js'

/** What the app stands on. */
export interface FraudParts {
  readonly config: FraudConfig
  readonly pool: pg.Pool
  readonly transactions: Transactions
  readonly store: EventStore
  readonly relay: Relay
  readonly clock: Clock
  readonly ids: Ids
  /** Called in reverse order when everything that makes work has stopped. */
  readonly closers: readonly (() => Promise<unknown>)[]
  /** Told of failures of what runs beside the requests. */
  readonly report: (error: unknown) => void
}

const PARTS = Symbol('parts')

/** Starts what runs beside the requests, and ends everything in order: first what makes work, then what it needs. */
@Injectable()
class FraudLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(PARTS) private readonly parts: FraudParts,
    @Inject(AlertTimeouts) private readonly timeouts: AlertTimeouts,
    @Inject(Readiness) readiness: Readiness,
  ) {
    readiness.register('database', () => parts.pool.query('SELECT 1'))
    readiness.register('relay', () => Promise.resolve(parts.relay.healthy()))
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.parts.relay.start()
    this.timeouts.start()
  }

  async onApplicationShutdown(): Promise<void> {
    const { relay, closers, report } = this.parts
    for (const end of [() => this.timeouts.stop(), () => relay.stop(), ...closers.toReversed()]) await end().catch(report)
  }
}

@Module({})
export class FraudModule {
  static with(parts: FraudParts): DynamicModule {
    const { config, pool, transactions, store, clock, ids, report } = parts
    const alerts = new PgAlertStore(pool)
    const features = new PgFeatureStore(pool)
    const models = new PgScorecards(pool, clock)
    const commands = new AlertCommands(store, alerts, transactions)
    const reviewTimeout_ms = config.REVIEW_TIMEOUT_SECONDS * 1_000
    return {
      module: FraudModule,
      imports: [CqrsModule.forRoot()],
      controllers: [ScoresController, AlertsController, FraudConsumer],
      providers: [
        { provide: PARTS, useValue: parts },
        { provide: ALERTS, useValue: alerts },
        { provide: CLOCK, useValue: clock },
        { provide: FEATURES, useValue: features },
        { provide: MODELS, useValue: models },
        { provide: STORE, useValue: store },
        { provide: TRANSACTIONS, useValue: transactions },
        { provide: HASH_KEY, useValue: config.FRAUD_HASH_KEY },
        { provide: HttpCommands, useValue: new HttpCommands(commands, clock) },
        {
          provide: ScoreTransactions,
          inject: [Metrics],
          useFactory: (metrics: Metrics) => {
            const decisions = metrics.counter('fraud_decisions_total', 'Scored transactions by decision.', ['decision'])
            const onScored = (decision: FraudDecision) => decisions.inc({ decision })
            return new ScoreTransactions({ features, models, commands, clock, ids, reviewTimeout_ms, onScored })
          },
        },
        { provide: OrderOutcomes, useValue: new OrderOutcomes(features) },
        { provide: AlertTimeouts, useValue: new AlertTimeouts({ alerts, commands, transactions, clock, onError: report }) },
        DecideAlertHandler,
        ScoreDescribedHandler,
        FraudLife,
      ],
    }
  }
}
