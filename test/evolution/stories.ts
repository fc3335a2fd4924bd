import type { AlertEvent } from '#fraud'
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
const alert: readonly (readonly AlertEvent[])[] = [
  [
    {
      type: 'AlertRaised',
      data: {
        ...raised,
        customerId: ownerId,
        amount: '299800',
        score: 0.72,
        reasons: [{ code: 'new-device', contribution: 0.3, text: 'The device was not seen before.' }],
        modelVersion: 'scorecard-1',
        at: '2026-11-01T10:00:00.000Z',
        dueAt: '2026-11-02T10:00:00.000Z',
      },
    },
    {
      type: 'AlertDecided',
      data: { ...raised, decision: 'approve', by: 'analyst-1', note: 'called the customer', at: '2026-11-01T11:00:00.000Z' },
    },
  ],
]

/** By category: streams in which every event of it has its place. What `fixtures` begin from; afterwards only they count. */
export const stories: Stories = { wallet, 'wallet-owner': owner, alert }
