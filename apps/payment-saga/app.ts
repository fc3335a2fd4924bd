import { sealerFor } from '#event-store'
import { pgSagaStore } from '#saga'
import { createService, masterKeys, openSubjectKeys, type ServiceParts } from '#service'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { invariants } from './invariants.js'
import { paymentSagaHandlers } from './handlers.js'
import { Ledger } from './ledger/ledger.js'
import { Settlements } from './ledger/settlements.js'
import { TurnaroundClock } from './ledger/turnaround-clock.js'
import { commissionRows, type PaymentSagaConfig } from './payment-saga.config.js'
import { PaymentSagaModule } from './payment-saga.module.js'
import { chosenProvider } from './provider/chosen.js'
import { Reconciler } from './reconciliation/reconciler.js'
import { Reconciliation } from './reconciliation/reconciliation.js'
import { ReconciliationReports } from './reconciliation/reports.js'
import { streamTypes } from './streams.js'
import { pgWebhookStore } from './webhooks/pg-webhook-store.js'

/**
 * The payment sagas as a Nest application that does not listen. Rejects when a definition that instances still run on is not there any more.
 */
export const createPaymentSagaApp = (config: PaymentSagaConfig, parts: ServiceParts = {}): Promise<NestFastifyApplication> =>
  createService(
    {
      name: 'payment-saga',
      description: 'Payments: the sagas that take and give back money, and the providers behind them.',
      config,
      invariants,
      types: streamTypes,
      // Sagas publish by messages of their decisions; their events are their own.
      publish: () => [],
      module: async ({ pool, postgres, transactions, store, clock, ids, lifecycle, report, tracing }) => {
        const sagas = pgSagaStore(pool, postgres)
        const { provider, files, signed, http, close } = chosenProvider(config, clock, tracing)
        lifecycle.closes(close)
        const sealed = openSubjectKeys('payment-saga', config, { clock, lifecycle })
        const ports = {
          commands: store,
          sagas,
          webhooks: pgWebhookStore(pool, sealerFor('webhooks', masterKeys(config))),
          transactions,
          clock,
          provider,
          signed,
          sealed,
          onError: report,
          tracing,
        }
        const { engine, inbox, worker, webhooks } = paymentSagaHandlers(ports, config)
        await engine.checkDefinitions()
        const ledger = new Ledger(commissionRows(config))
        const turnarounds = new TurnaroundClock({ pool, transactions, clock, onError: (error) => report(error, 'turnaround times') })
        const reconciler = new Reconciler({
          pool,
          clock,
          files,
          reconciliation: new Reconciliation({ pool, transactions, clock, settlesAfter: files.settlesAfter }),
          onError: (error) => report(error, 'reconciliation'),
        })
        lifecycle.works(worker, webhooks, turnarounds, reconciler)
        const reconciliations = new ReconciliationReports(pool)
        const books = { ledger, settlements: new Settlements(pool), turnarounds, reconciler, reconciliations }
        const returnUrl = config.PAYMENT_RETURN_URL
        return PaymentSagaModule.with({ store, sagas, engine, inbox, webhooks, transactions, clock, ids, http, returnUrl, ...books })
      },
    },
    parts,
  )
