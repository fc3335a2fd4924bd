import { inParallel, type Client } from './client.js'

export interface Customer {
  readonly customerId: string
  readonly token: string
  /** Where the wallet is, and what was put into it. */
  readonly walletId: string
  readonly funds_paise: bigint
  readonly address: Address
}

export interface Address {
  readonly name: string
  readonly line1: string
  readonly city: string
  readonly state: string
  readonly pincode: string
  readonly phone: string
}

const FUNDS_PAISE = 20_000_000n
/** Less than anything costs. */
const POOR_FUNDS_PAISE = 5_000n
/** Of every so many customers one has a wallet that is all but empty. */
const ONE_POOR_OF = 10

const NAMES = ['Asha Rao', 'Vikram Singh', 'Meera Iyer', 'Imran Khan', 'Ananya Das', 'Rohan Patel', 'Kavya Nair', 'Harpreet Kaur'] as const
const PLACES = [
  ['MG Road', 'Bengaluru', 'KA', '560001'],
  ['Linking Road', 'Mumbai', 'MH', '400050'],
  ['Anna Salai', 'Chennai', 'TN', '600002'],
  ['Park Street', 'Kolkata', 'WB', '700016'],
  ['Banjara Hills', 'Hyderabad', 'TG', '500034'],
  ['CG Road', 'Ahmedabad', 'GJ', '380009'],
  ['Connaught Place', 'New Delhi', 'DL', '110001'],
  ['Marine Drive', 'Kochi', 'KL', '682031'],
] as const

/** No two live at the same door: many orders to one address look like fraud, and are scored so. */
export const addressOf = (index: number): Address => {
  const [street, city, state, pincode] = PLACES[index % PLACES.length] ?? PLACES[0]
  const phone = `+919${String(876_500_000 + index).padStart(9, '0')}`
  return { name: NAMES[(index * 3) % NAMES.length] ?? NAMES[0], line1: `${index + 1} ${street}`, city, state, pincode, phone }
}

export const isPoor = ({ funds_paise }: Customer): boolean => funds_paise === POOR_FUNDS_PAISE

/** Customers with a full-KYC wallet and money in it; some with hardly any. */
export const makeCustomers = async (
  client: Client,
  count: number,
  runId: string,
  width: number,
  onMade: () => void,
): Promise<readonly Customer[]> => {
  const support = await client.token(`${runId}-support`, 'support')
  return inParallel(Array.from({ length: count }), width, async (_, index) => {
    const customerId = `${runId}-c${index + 1}`
    const funds_paise = (index + 1) % ONE_POOR_OF === 0 ? POOR_FUNDS_PAISE : FUNDS_PAISE
    const token = await client.token(customerId, 'customer')
    const opened = await client.expect<{ walletId: string }>([201], 'POST', '/v1/wallets', {
      token: support,
      key: `${runId}-wallet-${index}`,
      body: { ownerId: customerId, kyc: 'full' },
    })
    const { walletId } = opened.body
    await client.expect([201], 'POST', `/v1/wallets/${walletId}/credits`, {
      token: support,
      key: `${runId}-credit-${index}`,
      body: { amount: { amount: String(funds_paise), currency: 'INR' }, reference: `${runId}-opening` },
    })
    onMade()
    return { customerId, token, walletId, funds_paise, address: addressOf(index) }
  })
}
