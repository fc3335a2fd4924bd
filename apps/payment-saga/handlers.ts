import type { Commands, SealedTexts } from '#event-store'
import type { Clock, Transactions } from '#kernel'
import type { PaymentProvider } from '#payment'
import { paymentPlansOf } from '#payment-http'
import { SagaDefinitions, SagaEngine, SagaInbox, SagaWorker, type SagaStore } from '#saga'
import type { Tracing } from '#tracing'
import { routes } from './messages/routes.js'
import type { PaymentSagaConfig } from './payment-saga.config.js'
import { paymentActivities } from './provider/activities.js'
import { sagaDefinitions } from './sagas/definitions.js'
import type { ProviderWebhooks } from './webhooks/provider-webhooks.js'
import { WebhookInbox } from './webhooks/webhook-inbox.js'
import type { WebhookStore } from './webhooks/webhook-store.js'

export interface PaymentSagaPorts {
  readonly commands: Pick<Commands, 'executeAll'>
  readonly sagas: SagaStore
  readonly webhooks: WebhookStore
  readonly transactions: Transactions
  readonly clock: Clock
  readonly provider: PaymentProvider
  /** Those that webhooks are taken of, by the name in their address. */
  readonly signed: Readonly<Record<string, ProviderWebhooks>>
  /** Opens the instruments. */
  readonly sealed: SealedTexts
  readonly tracing?: Tracing | undefined
  onError?(error: unknown, during: string): void
}

export type PaymentSagaSettings = Pick<
  PaymentSagaConfig,
  'PUBLIC_URL' | 'UPI_WINDOW_SECONDS' | 'REVIEW_WAIT_SECONDS' | 'ACTIVITY_TIMEOUT_MS' | 'PROVIDER_CONCURRENCY' | 'PAYMENT_PLANS'
>

/** All that the app does, on its ports alone: messages to `inbox`, timers and provider calls by `worker`, webhooks to `webhooks`. */
export const paymentSagaHandlers = (ports: PaymentSagaPorts, settings: PaymentSagaSettings) => {
  const { commands, sagas, transactions, clock, provider, sealed, onError, tracing } = ports
  const timeout_ms = settings.ACTIVITY_TIMEOUT_MS
  const engine = new SagaEngine({
    commands,
    store: sagas,
    definitions: new SagaDefinitions(sagaDefinitions(settings)),
    clock,
    app: 'payment-saga',
  })
  // A run's requests end with the run: one second later the provider has heard all that it will hear of it.
  const activities = paymentActivities({
    provider,
    sealed,
    settle_ms: timeout_ms + 1_000,
    returnUrl: callbackOf(settings),
    plans: paymentPlansOf(settings),
  })
  const worker = new SagaWorker(
    { engine, store: sagas, transactions, clock, activities, tracing, ...(onError ? { onError } : {}) },
    // Twice the places at the provider: where it is slow and they are all taken, there are hands left for what is none of it.
    { concurrency: 2 * settings.PROVIDER_CONCURRENCY, timeout_ms, lease_ms: timeout_ms + 2_000 },
  )
  const webhooks = new WebhookInbox({
    store: ports.webhooks,
    engine,
    transactions,
    clock,
    providers: ports.signed,
    ...(onError ? { onError: (error: unknown) => onError(error, 'webhooks') } : {}),
  })
  return { engine, inbox: new SagaInbox(engine, routes), worker, webhooks }
}

const callbackOf = ({ PUBLIC_URL }: Pick<PaymentSagaSettings, 'PUBLIC_URL'>): ((sagaId: string) => string) | undefined =>
  PUBLIC_URL === undefined ? undefined : (sagaId) => `${PUBLIC_URL}/v1/payments/${sagaId}/callback`
