import { eventType, EventTypes } from '#event-store'
import Type, { type TProperties } from 'typebox'

/**
 * What is written of wallets. These schemas are for good: one that changes is a new version, with an upcast from the one before
 * (`test/evolution` holds them to what was ever written).
 */
const Paise = Type.String({ pattern: '^(0|[1-9][0-9]{0,17})$' })
const Id = Type.String({ minLength: 1, maxLength: 256 })
const Time = Type.Integer({ minimum: 0 })
const Kyc = Type.Enum(['small', 'full'])

const after = {
  at_ms: Time,
  ownerId: Id,
  balance: Paise,
  held: Paise,
  status: Type.Enum(['OPEN', 'FROZEN', 'CLOSED']),
}
const movement = { amount: Paise, account: Id, reference: Type.String({ maxLength: 512 }) }
const loadPayment = Type.Object(
  {
    method: Type.Enum(['upi', 'card', 'netbanking']),
    flow: Type.Optional(Type.Enum(['collect', 'intent'])),
    instrument: Type.Object(
      { subject: Id, nonce: Type.String({ maxLength: 64 }), ciphertext: Type.String({ maxLength: 4_096 }) },
      { additionalProperties: false },
    ),
    display: Type.String({ maxLength: 320 }),
  },
  { additionalProperties: false },
)
const next = Type.Object(
  { kind: Type.Enum(['redirect', 'intent']), url: Type.String({ maxLength: 2_000 }) },
  { additionalProperties: false },
)
const transfer = { ...movement, transferId: Id, counterparty: Id }

const walletEvent = (type: string, own: TProperties = {}) =>
  eventType(type, Type.Object({ ...after, ...own }, { additionalProperties: false }))

export const walletEvents = new EventTypes([
  walletEvent('WalletOpened', { kyc: Kyc }),
  walletEvent('Credited', { ...movement, entryId: Id }),
  walletEvent('LoadRequested', { loadId: Id, amount: Paise, payment: loadPayment }),
  walletEvent('LoadRedirected', { loadId: Id, next }),
  walletEvent('LoadCredited', { ...movement, loadId: Id }),
  walletEvent('LoadFailed', { loadId: Id, amount: Paise, reason: Type.String({ maxLength: 64 }) }),
  walletEvent('Debited', { ...movement, entryId: Id }),
  walletEvent('CashedOut', { ...movement, entryId: Id }),
  walletEvent('Refunded', { ...movement, entryId: Id }),
  walletEvent('PaidOut', { ...movement, entryId: Id }),
  walletEvent('FundsHeld', {
    holdId: Id,
    amount: Paise,
    madeBy: Type.String({ pattern: '^(sub|saga):.' }),
    reference: Type.String({ maxLength: 512 }),
    expiresAt_ms: Type.Optional(Time),
  }),
  walletEvent('HoldCaptured', { ...movement, holdId: Id, released: Paise }),
  walletEvent('HoldReleased', { holdId: Id, amount: Paise, cause: Type.Enum(['released', 'expired']) }),
  walletEvent('HoldBarred', { holdId: Id }),
  walletEvent('TransferredOut', { ...transfer, toBeneficiary: Type.Boolean() }),
  walletEvent('TransferredIn', transfer),
  walletEvent('BeneficiaryRegistered', { walletId: Id }),
  walletEvent('WalletFrozen'),
  walletEvent('WalletUnfrozen'),
  walletEvent('WalletClosed'),
  walletEvent('KycChanged', { kyc: Kyc }),
])

const owned = Type.Object({ walletId: Id, at_ms: Time }, { additionalProperties: false })

export const ownerEvents = new EventTypes([eventType('WalletAssigned', owned), eventType('WalletGivenUp', owned)])
