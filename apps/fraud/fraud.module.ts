import type { FraudDecision } from '#fraud'
import type { Transaction } from '#kernel'
import { HttpCommands, Metrics } from '#platform'
import { asPg } from '#postgres'
import type { ServiceContext } from '#service'
import { Module, type DynamicModule } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { AlertCommands } from './alerts/alert-commands.js'
import { AlertTimeouts } from './alerts/alert-timeouts.js'
import { watchDecided } from './alerts/decided-metrics.js'
import { PgAlertStore } from './alerts/pg-alert-store.js'
import { DecideAlertHandler } from './commands/decide-alert.js'
import { ScoreDescribedHandler } from './commands/score-described.js'
import type { FraudConfig } from './fraud.config.js'
import { AlertsController, AnyAlert } from './http/alerts.controller.js'
import { ScoresController } from './http/scores.controller.js'
import { FraudConsumer } from './messages/fraud.consumer.js'
import { OrderOutcomes } from './scoring/order-outcomes.js'
import { PgFeatureStore } from './scoring/pg-feature-store.js'
import { ScoreTransactions } from './scoring/score-transactions.js'
import { PgScorecards } from './scoring/scorecards.js'
import { ALERTS, CLOCK, FEATURES, HASH_KEY, MODELS } from './tokens.js'

@Module({})
export class FraudModule {
  static with(config: FraudConfig, { pool, transactions, store, clock, ids, random, lifecycle, report }: ServiceContext): DynamicModule {
    const alerts = new PgAlertStore(pool)
    const features = new PgFeatureStore(pool)
    const models = new PgScorecards(pool, clock)
    const commands = new AlertCommands(store, alerts, transactions)
    lifecycle.works(new AlertTimeouts({ alerts, commands, transactions, clock, random, onError: report }))
    const reviewTimeout_ms = config.REVIEW_TIMEOUT_SECONDS * 1_000
    return {
      module: FraudModule,
      imports: [CqrsModule.forRoot()],
      controllers: [ScoresController, AlertsController, FraudConsumer],
      providers: [
        { provide: ALERTS, useValue: alerts },
        { provide: CLOCK, useValue: clock },
        { provide: FEATURES, useValue: features },
        { provide: MODELS, useValue: models },
        { provide: HASH_KEY, useValue: config.FRAUD_HASH_KEY },
        { provide: HttpCommands, useValue: new HttpCommands(commands, clock, transactions) },
        {
          provide: ScoreTransactions,
          inject: [Metrics],
          useFactory: (metrics: Metrics) => {
            watchDecided(metrics, pool, clock)
            const decisions = metrics.counter('fraud_decisions_total', 'Scored transactions by decision.', ['decision'])
            const onScored = (tx: Transaction, scored: readonly FraudDecision[]) =>
              asPg(tx).onCommit(() => {
                for (const decision of scored) decisions.inc({ decision })
              })
            const sampleShare = config.FRAUD_SAMPLE_SHARE
            return new ScoreTransactions({ features, models, commands, clock, ids, random, reviewTimeout_ms, sampleShare, onScored })
          },
        },
        { provide: OrderOutcomes, useValue: new OrderOutcomes(features) },
        AnyAlert,
        DecideAlertHandler,
        ScoreDescribedHandler,
      ],
    }
  }
}
