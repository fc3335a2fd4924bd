/** The apps that answer HTTP. */
export type AppName = 'order-command' | 'order-query' | 'wallet' | 'payment-saga' | 'fraud'

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST'
  /** As in OpenAPI: `{id}` stands for one segment. */
  readonly path: string
  readonly app: AppName
}

const route =
  (app: AppName) =>
  (call: string): Route => {
    const [method, path] = call.split(' ')
    if ((method !== 'GET' && method !== 'PUT' && method !== 'POST') || !path?.startsWith('/')) throw new Error(`not a route: ${call}`)
    return { method, path, app }
  }

/**
 * Which app answers which call: the in-process router is made from it, and so are the gateway's configuration and the merged OpenAPI.
 * A test holds it against the routes that the apps really have.
 */
export const ROUTES: readonly Route[] = [
  ...[
    'PUT /v1/products/{sku}',
    'POST /v1/products/{sku}/stock',
    'POST /v1/orders',
    'POST /v1/orders/{id}/cancel',
    'POST /v1/orders/{id}/pack',
    'POST /v1/orders/{id}/ship',
    'POST /v1/orders/{id}/out-for-delivery',
    'POST /v1/orders/{id}/deliver',
    'POST /v1/orders/{id}/return',
    'POST /v1/orders/{id}/return/accept',
    'POST /v1/dev/token',
    'GET /v1/dev/jwks',
  ].map(route('order-command')),
  ...[
    'GET /v1/products',
    'GET /v1/products/{sku}',
    'GET /v1/orders',
    'GET /v1/orders/{id}',
    'GET /v1/orders/{id}/history',
    'GET /v1/ops/audit',
    'GET /v1/ops/consumers',
    'GET /v1/ops/dead-letters',
    'GET /v1/ops/dead-letters/{id}',
    'POST /v1/ops/dead-letters/{id}/redrive',
    'POST /v1/ops/dead-letters/redrive',
  ].map(route('order-query')),
  ...[
    'POST /v1/wallets',
    'GET /v1/wallets',
    'GET /v1/wallets/{id}',
    'POST /v1/wallets/{id}/credits',
    'POST /v1/wallets/{id}/debits',
    'POST /v1/wallets/{id}/loads',
    'GET /v1/wallets/{id}/loads/{loadId}',
    'POST /v1/wallets/{id}/holds',
    'POST /v1/wallets/{id}/holds/{holdId}/capture',
    'POST /v1/wallets/{id}/holds/{holdId}/release',
    'POST /v1/transfers',
    'PUT /v1/wallets/{id}/beneficiaries/{walletId}',
    'POST /v1/wallets/{id}/freeze',
    'POST /v1/wallets/{id}/unfreeze',
    'POST /v1/wallets/{id}/close',
    'POST /v1/wallets/{id}/kyc',
    'GET /v1/wallets/{id}/holds/{holdId}',
    'GET /v1/wallets/{id}/entries/{version}',
    'GET /v1/wallets/{id}/beneficiaries/{walletId}',
    'GET /v1/wallets/{id}/statement',
    'GET /v1/wallets/{id}/events',
    'GET /v1/wallets/{id}/verify',
    'GET /v1/wallets/trial-balance',
  ].map(route('wallet')),
  ...[
    'GET /v1/orders/{id}/payment',
    'GET /v1/payments/{id}/callback',
    'POST /v1/payments/{id}/refunds',
    'GET /v1/payments/{id}/refunds',
    'GET /v1/settlements/{date}',
    'GET /v1/settlements/{date}/reconciliation',
    'POST /v1/settlements/{date}/reconciliation',
    'GET /v1/reconciliation-cases',
    'POST /v1/reconciliation-cases/{id}/resolve',
    'GET /v1/sagas',
    'GET /v1/sagas/{id}',
    'POST /v1/sagas/retry',
    'POST /v1/sagas/compensate',
    'POST /v1/sagas/resume',
    'POST /v1/sagas/migrate',
    'POST /v1/sagas/{id}/retry',
    'POST /v1/sagas/{id}/compensate',
    'POST /v1/sagas/{id}/resume',
    'POST /v1/webhooks/{provider}',
  ].map(route('payment-saga')),
  ...['POST /v1/fraud/scores', 'GET /v1/fraud/alerts', 'POST /v1/fraud/alerts/{id}/decision'].map(route('fraud')),
]
