import { inParallel, type Client } from './client.js'

export interface Customer {
  readonly customerId: string
  readonly token: string
  readonly walletId: string
}

export const FUNDS_PAISE = 3_000_000n

/** Customers with a full-KYC wallet and money in it. */
export const makeCustomers = (client: Client, count: number, runId: string, width: number, onMade: () => void): Promise<Customer[]> =>
  inParallel(Array.from({ length: count }), width, async (_, index) => {
    const customerId = `${runId}-c${index + 1}`
    const [token, support] = await Promise.all([client.token(customerId, 'customer'), client.token(`${runId}-support`, 'support')])
    const opened = await client.expect<{ walletId: string }>([201], 'POST', '/v1/wallets', {
      token: support,
      key: `${runId}-wallet-${index}`,
      body: { ownerId: customerId, kyc: 'full' },
    })
    const { walletId } = opened.body
    await client.expect([201], 'POST', `/v1/wallets/${walletId}/credits`, {
      token: support,
      key: `${runId}-credit-${index}`,
      body: { amount: { amount: String(FUNDS_PAISE), currency: 'INR' }, reference: `${runId}-opening` },
    })
    onMade()
    return { customerId, token, walletId }
  })
