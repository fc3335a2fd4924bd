import {
  at,
  baseUrl,
  call,
  ended,
  inr,
  makeCustomer,
  makeProduct,
  makeWallet,
  newCustomerId,
  newKey,
  newSku,
  orderBody,
  placeOrder,
  poll,
  staffToken,
  token,
} from './shop.js'

/** What /openapi.json says, as far as the specs look at it. */
export interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly body: Schema | undefined
  readonly statuses: readonly number[]
  readonly open: boolean
}
export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: Schema
}
export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly additionalProperties?: boolean | Schema
}
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}
interface RawOperation {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<Record<string, unknown>>
  readonly security?: unknown
}

export const fetchDocument = async (): Promise<Document> => (await (await fetch(`${baseUrl()}/openapi.json`)).json()) as Document

export const operationsOf = (document: Document): Operation[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => ({
      id: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters: raw.parameters ?? [],
      body: raw.requestBody?.content['application/json']?.schema,
      statuses: Object.keys(raw.responses).map(Number),
      open: raw.security === undefined,
    })),
  )

/** The schema behind references, `allOf` merged. */
export const resolved = (document: Document, schema: Schema): Schema => {
  if (schema.$ref) return resolved(document, document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  if (!schema.allOf) return schema
  return schema.allOf
    .map((part) => resolved(document, part))
    .reduce((all, part) => ({ ...part, ...all, properties: { ...part.properties, ...all.properties } }))
}

/** Every role: what is refused then is refused for what was sent. */
export const ALL_ROLES = ['customer', 'merchant', 'support', 'risk', 'auditor', 'admin', 'service'] as const
export const omnipotent = (): Promise<string> => token(OWNER, ...ALL_ROLES)
export const OWNER = newCustomerId()

export interface Example {
  readonly params?: Readonly<Record<string, string>>
  /** One of each variant of the body. Undefined where there is none. */
  readonly bodies?: readonly unknown[]
  readonly query?: string
  /** Two good calls in a row are both answered 2xx; false where the second is a refusal. */
  readonly repeatable?: boolean
  /** Its path's thing is one that a sound platform does not have: the answer is 404. */
  readonly absent?: boolean
}

/** What the examples need: things that are there. Of the owner, who has every role. */
export const makeThings = async () => {
  const all = await omnipotent()
  const owner = { id: OWNER, token: all }
  const [sku, walletId, other, governed] = await Promise.all([
    makeProduct({ stock: 100_000 }),
    makeWallet(owner, 10_000_000),
    makeCustomer().then((customer) => makeWallet(customer, 0)),
    makeCustomer().then((customer) => makeWallet(customer, 0)),
  ])
  const held = await call('POST', `/v1/wallets/${walletId}/holds`, {
    token: all,
    key: newKey(),
    body: { amount: inr(100), reference: 'e2e' },
  })
  const loaded = await call('POST', `/v1/wallets/${walletId}/loads`, {
    token: all,
    key: newKey(),
    body: { amount: inr(100), payment: { method: 'card', token: 'tok_success' } },
  })
  await call('PUT', `/v1/wallets/${walletId}/beneficiaries/${other}`, { token: all, body: {} })
  const placed = await placeOrder(owner, sku, { method: 'cod' })
  const orderId = String(placed.body['orderId'])
  const { payment: saga } = await ended(owner, placed, 'CONFIRMED', 'COMPLETED')
  const dear = await makeProduct({ price: 20_000_000 })
  const reviewed = await placeOrder(await makeCustomer(), dear, { method: 'card', token: 'tok_success' })
  const alerts = await poll(
    async () => call('GET', '/v1/fraud/alerts?limit=100', { token: await staffToken('risk') }),
    (answer) => (answer.body['items'] as unknown as { orderId: string }[]).some(({ orderId: of }) => of === reviewed.body['orderId']),
  )
  const alert = (alerts.body['items'] as unknown as { orderId: string; alertId: string }[]).find(
    ({ orderId: of }) => of === reviewed.body['orderId'],
  )
  return {
    all,
    sku,
    walletId,
    other,
    /** Frozen, closed and the like. */
    governed,
    orderId,
    holdId: String(held.body['holdId']),
    loadId: String(loaded.body['loadId']),
    sagaId: String(at(saga, 'sagaId')),
    alertId: alert?.alertId ?? '',
  }
}
export type Things = Awaited<ReturnType<typeof makeThings>>

/**
 * A valid call of every operation of /openapi.json; one that is missing here fails the spec. What would change the things that other
 * examples need (a wallet closed) is answered by a refusal after the first time, which the specs allow for.
 */
export const examplesOf = (things: Things): Readonly<Record<string, Example>> => {
  const { sku, walletId, other, governed, orderId, holdId, loadId, sagaId, alertId } = things
  const money = { amount: inr(1), reference: 'e2e' }
  const reason = { reason: 'e2e' }
  /** None that a spec has begun: the specs change the examples, and beside them others run. */
  const many = { filter: { type: 'payment-refund', status: 'NEEDS_ATTENTION', stuckFor: '90d' }, dryRun: true, limit: 5 }
  const order = (payment: object) => orderBody([{ sku, quantity: 1 }], payment)
  return {
    'GET /health/live': {},
    'GET /health/ready': {},
    'GET /metrics': {},
    'GET /v1/dev/jwks': {},
    'POST /v1/dev/token': { bodies: [{ sub: 'c-1', roles: ['customer'] }] },
    'GET /v1/products': { query: 'q=product&category=audio&brand=boAt&minPrice=1&maxPrice=100000000&sort=relevance&limit=5' },
    'GET /v1/products/{sku}': { params: { sku } },
    'PUT /v1/products/{sku}': {
      params: { sku: newSku() },
      bodies: [
        {
          title: 'A product',
          description: 'एक उत्पाद',
          category: 'audio',
          brand: 'boAt',
          price: inr(149_900),
          gstRate: 18,
          hsn: '8518',
          attributes: { colour: 'black' },
        },
      ],
      repeatable: true,
    },
    'POST /v1/products/{sku}/stock': { params: { sku }, bodies: [{ received: 1 }, { adjusted: 1, reason: 'counted' }], repeatable: true },
    'POST /v1/orders': {
      bodies: [
        { ...order({ method: 'cod' }), device: { id: 'device-1' } },
        order({ method: 'wallet', walletId }),
        order({ method: 'upi', vpa: 'success@upi', flow: 'collect' }),
        order({ method: 'card', token: 'tok_success' }),
        order({ method: 'netbanking', bankCode: 'SBOX_SUCCESS' }),
        order({ method: 'split', walletId, amount: inr(1), other: { method: 'upi', vpa: 'success@upi' } }),
      ],
      repeatable: true,
    },
    'GET /v1/orders': {
      query: `status=CONFIRMED&from=2026-01-01T00:00:00Z&to=2036-01-01T00:00:00Z&q=product&sort=placedAt&customerId=${OWNER}&limit=5`,
    },
    'GET /v1/orders/{id}': { params: { id: orderId } },
    'GET /v1/orders/{id}/history': { params: { id: orderId } },
    'GET /v1/orders/{id}/payment': { params: { id: orderId } },
    'POST /v1/orders/{id}/cancel': { params: { id: orderId }, bodies: [reason] },
    'POST /v1/orders/{id}/pack': { params: { id: orderId }, bodies: [{}] },
    'POST /v1/orders/{id}/ship': { params: { id: orderId }, bodies: [{ carrier: 'Delhivery', trackingNumber: 'DL1' }] },
    'POST /v1/orders/{id}/out-for-delivery': { params: { id: orderId }, bodies: [{}] },
    'POST /v1/orders/{id}/deliver': { params: { id: orderId }, bodies: [{}] },
    'POST /v1/orders/{id}/return': { params: { id: orderId }, bodies: [{ items: [{ sku, quantity: 1 }], ...reason }] },
    'POST /v1/orders/{id}/return/accept': { params: { id: orderId }, bodies: [{}] },
    'POST /v1/wallets': { bodies: [{ ownerId: OWNER, kyc: 'full' }] },
    'GET /v1/wallets': { query: `ownerId=${OWNER}&version=1` },
    'GET /v1/wallets/{id}': { params: { id: walletId }, query: 'version=1' },
    'POST /v1/wallets/{id}/credits': { params: { id: walletId }, bodies: [money], repeatable: true },
    'POST /v1/wallets/{id}/debits': { params: { id: walletId }, bodies: [money], repeatable: true },
    'POST /v1/wallets/{id}/loads': {
      params: { id: walletId },
      bodies: [
        { amount: inr(1), payment: { method: 'upi', vpa: 'success@upi', flow: 'collect' } },
        { amount: inr(1), payment: { method: 'card', token: 'tok_success' } },
        { amount: inr(1), payment: { method: 'netbanking', bankCode: 'SBOX_SUCCESS' } },
      ],
      repeatable: true,
    },
    'GET /v1/wallets/{id}/loads/{loadId}': { params: { id: walletId, loadId } },
    'POST /v1/wallets/{id}/holds': { params: { id: walletId }, bodies: [{ ...money, expiresAt: inAnHour() }], repeatable: true },
    'POST /v1/wallets/{id}/holds/{holdId}/capture': { params: { id: walletId, holdId }, bodies: [{ amount: inr(1) }] },
    'POST /v1/wallets/{id}/holds/{holdId}/release': { params: { id: walletId, holdId }, bodies: [{}] },
    // Twenty a day go out of a wallet: what a spec drew at random may have made them all.
    'POST /v1/transfers': { bodies: [{ fromWalletId: walletId, toWalletId: other, ...money }] },
    'PUT /v1/wallets/{id}/beneficiaries/{walletId}': { params: { id: walletId, walletId: other }, bodies: [{}], repeatable: true },
    'GET /v1/wallets/{id}/holds/{holdId}': { params: { id: walletId, holdId } },
    'GET /v1/wallets/{id}/entries/{version}': { params: { id: walletId, version: '2' } },
    'GET /v1/wallets/{id}/beneficiaries/{walletId}': { params: { id: walletId, walletId: other } },
    'GET /v1/wallets/trial-balance': {},
    'POST /v1/wallets/{id}/freeze': { params: { id: governed }, bodies: [reason] },
    'POST /v1/wallets/{id}/unfreeze': { params: { id: governed }, bodies: [reason] },
    'POST /v1/wallets/{id}/kyc': { params: { id: governed }, bodies: [{ kyc: 'full', reason: 'e2e' }] },
    'POST /v1/wallets/{id}/close': { params: { id: governed }, bodies: [reason] },
    'GET /v1/wallets/{id}/statement': { params: { id: walletId }, query: 'from=2026-01-01T00:00:00Z&to=2036-01-01T00:00:00Z&limit=5' },
    'GET /v1/wallets/{id}/events': { params: { id: walletId }, query: 'limit=5' },
    'GET /v1/wallets/{id}/verify': { params: { id: walletId } },
    'GET /v1/settlements/{date}': { params: { date: '2026-11-01' }, query: 'limit=5' },
    'POST /v1/settlements/{date}/reconciliation': { params: { date: '2026-11-01' }, bodies: [reason], repeatable: true },
    'GET /v1/settlements/{date}/reconciliation': { params: { date: '2026-11-02' }, absent: true },
    'GET /v1/reconciliation-cases': { query: 'date=2026-11-01&status=OPEN&limit=5' },
    'POST /v1/reconciliation-cases/{id}/resolve': { params: { id: NO_LETTER }, bodies: [reason], absent: true },
    'GET /v1/sagas': { query: 'type=order-payment&status=COMPLETED&stuckFor=15m&limit=5' },
    'GET /v1/sagas/{id}': { params: { id: sagaId } },
    'POST /v1/sagas/{id}/retry': { params: { id: sagaId }, bodies: [reason] },
    'POST /v1/sagas/{id}/compensate': { params: { id: sagaId }, bodies: [reason] },
    'POST /v1/sagas/{id}/resume': {
      params: { id: sagaId },
      bodies: [{ step: 'capture-payment', outcome: 'succeeded', evidence: 'line 17', reason: 'e2e' }],
    },
    'POST /v1/sagas/retry': { bodies: [{ ...many, ...reason }], repeatable: true },
    'POST /v1/sagas/compensate': { bodies: [{ ...many, ...reason }], repeatable: true },
    'POST /v1/sagas/resume': {
      bodies: [{ ...many, step: 'capture-payment', outcome: 'succeeded', evidence: 'line 17', ...reason }],
      repeatable: true,
    },
    'POST /v1/sagas/migrate': {
      bodies: [{ type: 'order-payment', from: 1_000_000, to: 1, dryRun: true, limit: 5, ...reason }],
      repeatable: true,
    },
    'GET /v1/payments/{id}/callback': { params: { id: sagaId } },
    'GET /v1/payments/{id}/refunds': { params: { id: sagaId } },
    'POST /v1/payments/{id}/refunds': { params: { id: sagaId }, bodies: [{ amount: inr(1), ...reason }] },
    'GET /v1/ops/audit': { query: 'actor=e2e-support&app=wallet&from=2026-01-01T00:00:00Z&to=2036-01-01T00:00:00Z&limit=5' },
    'GET /v1/ops/consumers': {},
    'GET /v1/ops/dead-letters': { query: 'topic=orders.events&limit=5' },
    'GET /v1/ops/dead-letters/{id}': { params: { id: NO_LETTER }, absent: true },
    'POST /v1/ops/dead-letters/{id}/redrive': { params: { id: NO_LETTER }, bodies: [reason], absent: true },
    'POST /v1/ops/dead-letters/redrive': {
      bodies: [{ topic: 'orders.events', filter: { type: 'OrderPlaced' }, ...reason }],
      repeatable: true,
    },
    'POST /v1/webhooks/{provider}': { params: { provider: 'sandbox' }, bodies: [{ type: 'payment' }] },
    'POST /v1/fraud/scores': {
      bodies: [
        { customerId: 'c-1', amount: inr(100), method: 'upi', addressHash: 'a', deviceHash: 'd', at: '2026-11-01T00:00:00.000Z' },
        { customerId: 'c-1', amount: inr(100), method: 'card', deviceId: 'd', count: true },
      ],
      repeatable: true,
    },
    'GET /v1/fraud/alerts': { query: 'status=open&limit=5' },
    'POST /v1/fraud/alerts/{id}/decision': { params: { id: alertId }, bodies: [{ decision: 'approve', note: 'e2e' }] },
  }
}

const NO_LETTER = '0190a000-0000-8000-8000-00000000dead'
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString()

export const urlOf = (operation: Operation, { params = {}, query }: Example, chosen = query): string => {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? 'missing'))
  return chosen ? `${path}?${chosen}` : path
}
