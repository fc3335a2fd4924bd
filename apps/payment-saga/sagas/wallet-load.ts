import { CreditLoad, FailLoad, RedirectLoad } from '#contracts'
import { command, defineSaga, type AnySaga, type Saga } from '#saga'
import { secondPayments } from './second-payment.js'
import { WALLET_LOAD } from './saga-types.js'
import {
  AUTHORISE,
  authorisePayment,
  capturePayment,
  PAYER_RETURNED,
  payerReturned,
  providerPaymentChanged,
  providerTold,
  type ProviderPart,
} from './provider-part.js'

/** `orderId` is the load's. */
export type WalletLoad = ProviderPart & { readonly walletId: string; readonly customerId: string }

type It = Saga<WalletLoad>

/**
 * A wallet is loaded by a payment. The wallet has asked its limits and keeps the load its room, so what is paid is credited; only a wallet that
 * was closed meanwhile refuses it, and then all that was taken goes back.
 */
export const walletLoad = ({ paymentWindow_ms }: { readonly paymentWindow_ms: number }): AnySaga =>
  defineSaga<WalletLoad>({
    type: WALLET_LOAD,
    version: 1,
    steps: [
      { name: 'request-load', undo: command(failLoad) },
      authorisePayment(paymentWindow_ms),
      capturePayment(),
      { name: 'credit-load', pivot: true, does: command(creditLoad) },
    ],
    on: { 'provider-payment': providerTold(AUTHORISE), [PAYER_RETURNED]: payerReturned },
    tells: (saga) => secondPayments(saga, 'load'),
    publishes: (saga, before, told) => [
      ...(isRedirected(saga, before) ? [redirectLoad(saga, told.context)] : []),
      ...providerPaymentChanged(saga, before, { purpose: 'load', doneBy: 'credit-load', refunded: ({ refunded = '0' }) => refunded }, told),
    ],
  })

type Message = Parameters<typeof command<WalletLoad>>[0]

const creditLoad: Message = ({ data: { walletId, orderId: loadId } }, { replyTo, context, id }) =>
  CreditLoad.message(walletId, { replyTo, walletId, loadId }, context, id)

const failLoad: Message = ({ data: { walletId, orderId: loadId }, failure }, { replyTo, context, id }) =>
  FailLoad.message(walletId, { replyTo, walletId, loadId, reason: failure?.reason ?? 'failed' }, context, id)

/** Its payer has somewhere to go on: said once, when it is known. */
const isRedirected = ({ data: { next } }: It, before: It | undefined): boolean =>
  next !== undefined && JSON.stringify(next) !== JSON.stringify(before?.data.next)

const redirectLoad = ({ id, data: { walletId, orderId: loadId, next } }: It, context: Parameters<typeof RedirectLoad.message>[2]) =>
  RedirectLoad.message(
    walletId,
    { replyTo: id, walletId, loadId, next: { kind: next?.kind === 'intent' ? 'intent' : 'redirect', url: next?.url ?? '' } },
    context,
  )
