/** How a customer pays. */
export type PaymentMethod = 'wallet' | 'upi' | 'card' | 'netbanking' | 'cod' | 'split'

/** Methods that move money through a payment provider. */
export type ProviderMethod = 'upi' | 'card' | 'netbanking'

export const isProviderMethod = (method: PaymentMethod): method is ProviderMethod =>
  method === 'upi' || method === 'card' || method === 'netbanking'

/** Whether the provider holds the money until a capture. UPI and net banking move it at once. */
export const capturesLater = (method: ProviderMethod): boolean => method === 'card'

/**
 * An instrument as it may be shown: enough for its owner to recognise, too little for anyone to use. A VPA keeps its first two characters
 * and its bank (`as…@okbank`), a token that is long enough its last two; a bank's code names no person's account.
 */
export const maskInstrument = (method: ProviderMethod, instrument: string): string => {
  switch (method) {
    case 'upi': {
      const at = instrument.indexOf('@')
      return `${instrument.slice(0, Math.max(0, Math.min(2, at - 1)))}…${at < 0 ? '' : instrument.slice(at)}`
    }
    case 'card':
      return instrument.length < 8 ? 'card' : `card …${instrument.slice(-2)}`
    case 'netbanking':
      return instrument
  }
}

const GROUPED_DIGITS = /^[0-9](?:[ -]*[0-9]){11,18}$/

/**
 * Whether a text is what a card's number looks like: 12 to 19 digits, spaces and hyphens aside, of which the last is the check digit of the
 * others (ISO/IEC 7812-1, Luhn). No card number may be stored (RBI, since 2022-10-01).
 */
export const isCardNumber = (text: string): boolean => {
  if (text.length > 128 || !GROUPED_DIGITS.test(text)) return false
  const sum = [...text.replaceAll(/[ -]/g, '')].reverse().reduce((total, digit, place) => {
    const weighed = Number(digit) * (place % 2 === 0 ? 1 : 2)
    return total + (weighed > 9 ? weighed - 9 : weighed)
  }, 0)
  return sum % 10 === 0
}
