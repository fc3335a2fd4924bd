import type { AlertEvent } from '#fraud'
import type { OrderEvent, ProductEvent } from '#order'
import type { SagaEvent } from '#saga'
import type { ReservationEvent, StockEvent } from '#stock'
import type { OwnerEvent, WalletEvent } from '#wallet'

type Stories = Readonly<Record<string, readonly (readonly { readonly type: string; readonly data: object }[])[]>>

const at_ms = Date.UTC(2026, 10, 1, 10)
const ownerId = 'c-1'
const reference = '0190a000-0000-7000-8000-000000000001'
const after = (balance: string, held = '0', status: 'OPEN' | 'FROZEN' | 'CLOSED' = 'OPEN') => ({ at_ms, ownerId, balance, held, status })
const transfer = { account: 'transfers', transferId: 't-1', counterparty: 'w-2', reference } as const

const opened: WalletEvent = { type: 'WalletOpened', data: { ...after('0'), kyc: 'small' } }
const credited: WalletEvent = {
  type: 'Credited',
  data: { ...after('100000'), amount: '100000', account: 'escrow', reference, entryId: 'e-1' },
}
const held: WalletEvent = {
  type: 'FundsHeld',
  data: {
    ...after('100000', '40000'),
    holdId: 'h-1',
    amount: '40000',
    madeBy: 'saga:payment-saga',
    reference,
    expiresAt_ms: at_ms + 900_000,
  },
}
const requested = (loadId: string): WalletEvent => ({
  type: 'LoadRequested',
  data: {
    ...after('0'),
    loadId,
    amount: '50000',
    payment: {
      method: 'upi',
      flow: 'collect',
      instrument: { subject: ownerId, nonce: 'bm9uY2U', ciphertext: 'Y2lwaGVy' },
      display: 'as…@okbank',
    },
  },
})
const wallet: readonly (readonly WalletEvent[])[] = [
  [
    opened,
    credited,
    held,
    {
      type: 'HoldCaptured',
      data: { ...after('70000'), holdId: 'h-1', amount: '30000', released: '10000', account: 'merchant-payable', reference },
    },
    { type: 'Refunded', data: { ...after('80000'), amount: '10000', account: 'merchant-payable', reference, entryId: 'e-2' } },
    { type: 'CashedOut', data: { ...after('75000'), amount: '100', account: 'escrow', reference, entryId: 'e-9' } },
    { type: 'Debited', data: { ...after('75000'), amount: '5000', account: 'escrow', reference, entryId: 'e-3' } },
    { type: 'WalletFrozen', data: after('75000', '0', 'FROZEN') },
    { type: 'WalletUnfrozen', data: after('75000') },
    { type: 'KycChanged', data: { ...after('75000'), kyc: 'full' } },
    { type: 'BeneficiaryRegistered', data: { ...after('75000'), walletId: 'w-2' } },
    { type: 'TransferredOut', data: { ...after('65000'), ...transfer, amount: '10000', toBeneficiary: true } },
    { type: 'TransferredIn', data: { ...after('75000'), ...transfer, amount: '10000', transferId: 't-2' } },
  ],
  [opened, credited, held, { type: 'HoldReleased', data: { ...after('100000'), holdId: 'h-1', amount: '40000', cause: 'released' } }],
  [
    opened,
    requested('l-1'),
    { type: 'LoadRedirected', data: { ...after('0'), loadId: 'l-1', next: { kind: 'redirect', url: 'https://bank.example/pay/1' } } },
    { type: 'LoadCredited', data: { ...after('50000'), loadId: 'l-1', amount: '50000', account: 'provider-clearing', reference: 'l-1' } },
  ],
  [opened, requested('l-2'), { type: 'LoadFailed', data: { ...after('0'), loadId: 'l-2', amount: '50000', reason: 'payment-declined' } }],
  [opened, { type: 'HoldBarred', data: { ...after('0'), holdId: 'h-2' } }],
  [
    opened,
    { type: 'WalletClosed', data: after('0', '0', 'CLOSED') },
    { type: 'PaidOut', data: { ...after('0', '0', 'CLOSED'), amount: '500', account: 'owner-payable', reference, entryId: 'e-4' } },
  ],
]

const owner: readonly (readonly OwnerEvent[])[] = [
  [
    { type: 'WalletAssigned', data: { walletId: 'w-1', at_ms } },
    { type: 'WalletGivenUp', data: { walletId: 'w-1', at_ms } },
  ],
]

const raised = { alertId: 'a-1', orderId: reference }
const scored = {
  ...raised,
  customerId: ownerId,
  amount: '299800',
  score: 0.72,
  reasons: [{ code: 'new-device', contribution: 0.3, text: 'The device was not seen before.' }],
  modelVersion: 'scorecard-1',
  at: '2026-11-01T10:00:00.000Z',
  dueAt: '2026-11-02T10:00:00.000Z',
}
const taken: AlertEvent = { type: 'SampleTaken', data: { ...scored, share: 0.01 } }
const alert: readonly (readonly AlertEvent[])[] = [
  [
    { type: 'AlertRaised', data: scored },
    {
      type: 'AlertDecided',
      data: { ...raised, decision: 'approve', by: 'analyst-1', note: 'called the customer', at: '2026-11-01T11:00:00.000Z' },
    },
  ],
  [
    taken,
    {
      type: 'SampleLabelled',
      data: { ...raised, decision: 'decline', by: 'analyst-1', note: 'the card was stolen', at: '2026-11-01T11:00:00.000Z' },
    },
  ],
  [taken, { type: 'SampleLapsed', data: { ...raised, at: '2026-11-08T10:00:00.000Z' } }],
]

const at = '2026-11-01T10:00:00.000Z'
const orderId = reference
const moved = { customerId: ownerId, at }
const sealed = { subject: ownerId, nonce: 'bm9uY2Vub25jZQ', ciphertext: 'Y2lwaGVydGV4dA' }
const gst = { cgst: '0', sgst: '0', igst: '45732' }
const lines = [{ sku: 'MUG-1', quantity: 2 }]
const placed: OrderEvent = {
  type: 'OrderPlaced',
  data: {
    customerId: ownerId,
    items: [
      {
        sku: 'MUG-1',
        title: 'Mug',
        category: 'kitchen',
        quantity: 2,
        hsn: '6912',
        unitPrice: '149900',
        gstRate: 18,
        lineTotal: '299800',
        gst,
      },
    ],
    totals: { subtotal: '299800', gst, shipping: '4900', grandTotal: '304700' },
    shippingAddress: sealed,
    addressHash: 'a1b2',
    deviceHash: 'c3d4',
    payment: {
      method: 'split',
      walletId: 'w-1',
      walletAmount: '100000',
      other: { method: 'upi', flow: 'collect', instrument: sealed, display: 'as…@okhdfc' },
    },
    placedAt: at,
  },
}
const order: readonly (readonly OrderEvent[])[] = [
  [
    placed,
    { type: 'OrderReviewStarted', data: moved },
    { type: 'OrderConfirmed', data: moved },
    { type: 'OrderPacked', data: moved },
    { type: 'OrderShipped', data: { ...moved, carrier: 'Delhivery', trackingNumber: 'DL1' } },
    { type: 'OrderOutForDelivery', data: moved },
    { type: 'OrderDelivered', data: { ...moved, method: 'split', collected: '0' } },
    { type: 'OrderReturnRequested', data: { ...moved, items: lines, reason: sealed } },
    {
      type: 'OrderReturned',
      data: { ...moved, items: [{ sku: 'MUG-1', quantity: 2, amount: '299800', gst }], refund: '299800', gst, method: 'split' },
    },
  ],
  [placed, { type: 'OrderCancelled', data: { ...moved, reason: 'customer', note: sealed, wasConfirmed: false, items: lines } }],
]

const mug = { title: 'Mug', description: 'Holds tea.', category: 'kitchen', brand: 'Clay', price: '149900', gstRate: 18, hsn: '6912' }
const product: readonly (readonly ProductEvent[])[] = [
  [
    { type: 'ProductDefined', data: { ...mug, attributes: { colour: 'blue' } } },
    { type: 'ProductChanged', data: { ...mug, price: '139900' } },
  ],
]

const stock: readonly (readonly StockEvent[])[] = [
  [
    { type: 'StockReceived', data: { quantity: 10, onHand: 10, reserved: 0 } },
    { type: 'StockAdjusted', data: { quantity: -1, reason: 'water damage', onHand: 9, reserved: 0 } },
    { type: 'StockReserved', data: { orderId, quantity: 2, onHand: 9, reserved: 2 } },
    { type: 'StockReleased', data: { orderId, quantity: 2, onHand: 9, reserved: 0 } },
    { type: 'StockReserved', data: { orderId: 'o-2', quantity: 2, onHand: 9, reserved: 2 } },
    { type: 'StockShipped', data: { orderId: 'o-2', quantity: 2, onHand: 7, reserved: 0 } },
    { type: 'StockReturned', data: { orderId: 'o-2', quantity: 1, onHand: 8, reserved: 0 } },
  ],
]

const reservation: readonly (readonly ReservationEvent[])[] = [
  [
    { type: 'ReservationMade', data: { lines } },
    { type: 'ReservationReleased', data: { lines } },
  ],
  [
    { type: 'ReservationMade', data: { lines } },
    { type: 'ReservationShipped', data: { lines } },
  ],
]

const started: SagaEvent = {
  type: 'SagaStarted',
  data: {
    sagaId: 's-1',
    saga: 'order-payment',
    definition: 1,
    correlationKey: orderId,
    correlationId: orderId,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    data: { orderId },
    registered: [],
    onlyForward: false,
    parent: { sagaId: 's-0', key: 's-0:pay' },
    at: at_ms,
  },
}
const stepped = (step: string, kind: 'command' | 'activity'): SagaEvent => ({
  type: 'StepStarted',
  data: {
    step,
    side: 'do',
    kind,
    key: `s-1:${step}`,
    round: 1,
    dueAt: at_ms + 10_000,
    at: at_ms,
    compensated: true,
    beside: false,
    ...(kind === 'activity' && { runAt: at_ms }),
  },
})
const hold = { step: 'hold', side: 'do', at: at_ms } as const
const pay = { step: 'pay', side: 'do', at: at_ms } as const
const undo = { step: 'hold', side: 'undo', at: at_ms } as const
const saga: readonly (readonly SagaEvent[])[] = [
  [
    { type: 'MessageReceived', data: { name: 'order-cancelled', body: { orderId }, learned: { cancelled: true }, at: at_ms } },
    started,
    stepped('hold', 'command'),
    { type: 'TimerMoved', data: { timerAt: at_ms + 10_000, at: at_ms } },
    { type: 'CommandRepeated', data: { ...hold, dueAt: at_ms + 20_000 } },
    { type: 'ActionSucceeded', data: { ...hold, learned: { holdId: 'h-1' }, pivot: false, by: 'operator-1' } },
    { type: 'ToldSaga', data: { id: 't-1', to: 's-2', name: 'held', at: at_ms } },
    stepped('pay', 'activity'),
    { type: 'OutcomeUnknown', data: { ...pay, detail: 'timed out', runAt: at_ms + 1_000, learned: { reference } } },
    { type: 'WindowClosed', data: { step: 'pay', runAt: at_ms, dueAt: at_ms + 5_000, at: at_ms } },
    { type: 'AttentionNeeded', data: { ...pay, why: 'no answer' } },
    {
      type: 'OperatorActed',
      data: { action: 'resume', by: 'operator-1', reason: 'asked the bank', step: 'pay', outcome: 'refused', evidence: 'mail', at: at_ms },
    },
    { type: 'ActionRefused', data: { ...pay, slug: 'payment-declined', detail: 'declined', learned: { code: 'U30' }, by: 'operator-1' } },
    { type: 'InputNoted', data: { input: 'reply', why: 'of an action that has ended', at: at_ms } },
    { type: 'CompensationBegun', data: { step: 'pay', reason: 'payment-declined', detail: 'declined', at: at_ms } },
    {
      type: 'UndoStarted',
      data: { ...undo, kind: 'activity', key: 's-1:hold:undo', round: 1, dueAt: at_ms + 10_000, runAt: at_ms + 1_000 },
    },
    { type: 'ActivityHastened', data: { ...undo, runAt: at_ms } },
    { type: 'ActionSucceeded', data: undo },
    { type: 'SagaMigrated', data: { from: 1, to: 2, data: { orderId, holdId: 'h-1' }, at: at_ms } },
    { type: 'SagaCompensated', data: { at: at_ms } },
  ],
  [
    started,
    stepped('pay', 'activity'),
    { type: 'ActionSucceeded', data: { ...pay, pivot: true } },
    { type: 'SagaCompleted', data: { at: at_ms } },
  ],
  [
    started,
    stepped('pay', 'activity'),
    { type: 'StepExpired', data: { step: 'pay', at: at_ms } },
    { type: 'LateSuccess', data: { step: 'pay', learned: { paymentId: 'p-1' }, by: 'operator-1', at: at_ms } },
  ],
]

const audit = [
  [
    { type: 'ActDone', data: { action: 'POST /v1/wallets/:id/freeze', path: '/v1/wallets/w-1/freeze', roles: ['support'], status: 200 } },
    {
      type: 'ActDone',
      data: {
        action: 'POST /v1/sagas/:id/compensate',
        path: '/v1/sagas/s-1/compensate',
        roles: ['admin'],
        status: 409,
        refused: 'invalid-transition',
      },
    },
  ],
]

/** By category: streams in which every event of it has its place. What `fixtures` begin from; afterwards only they count. */
export const stories: Stories = { wallet, 'wallet-owner': owner, alert, order, product, stock, reservation, saga, audit }
