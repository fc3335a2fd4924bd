import { seal, type SubjectKey } from '#event-store'
import type { Random } from '#kernel'
import { maskInstrument, type ProviderMethod } from '#payment'

/** How a customer wants to pay through a provider, with the instrument in the clear: it goes no further than the command that it comes with. */
export type ProviderPayment =
  | { readonly method: 'upi'; readonly vpa: string; readonly flow?: 'collect' | 'intent' }
  | { readonly method: 'card'; readonly token: string; readonly plan?: string }
  | { readonly method: 'netbanking'; readonly bankCode: string; readonly plan?: string }

/** The same, to be kept and sent on: the instrument sealed, and what may be shown of it. */
export type SealedPayment = {
  readonly method: ProviderMethod
  readonly flow?: 'collect' | 'intent'
  readonly instrument: { readonly subject: string; readonly nonce: string; readonly ciphertext: string }
  readonly display: string
  readonly plan?: string
}

/** What is sealed is the bare text of the instrument: the VPA, the card's token, the bank's code. `random` is for simulations alone. */
export const sealPayment = (key: SubjectKey, payment: ProviderPayment, random?: Random): SealedPayment => {
  const { method } = payment
  const instrument = instrumentOf(payment)
  return {
    method,
    ...(payment.method === 'upi' ? { flow: payment.flow ?? 'collect' } : {}),
    instrument: { ...seal(key, instrument, random) },
    display: maskInstrument(method, instrument),
    ...('plan' in payment && payment.plan !== undefined ? { plan: payment.plan } : {}),
  }
}

const instrumentOf = (payment: ProviderPayment): string => {
  switch (payment.method) {
    case 'upi':
      return payment.vpa
    case 'card':
      return payment.token
    case 'netbanking':
      return payment.bankCode
  }
}
