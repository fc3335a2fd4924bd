import { expect, it } from '@jest/globals'
import { ended, makeCustomer, makeProduct, makeWallet, placeOrder } from '../e2e/shop.js'

it('what `kubectl apply -k k8s/overlays/local` left ready confirms an order', async () => {
  const customer = await makeCustomer()
  const [sku, walletId] = await Promise.all([makeProduct(), makeWallet(customer, 50_000)])
  const { order } = await ended(customer, await placeOrder(customer, sku, { method: 'wallet', walletId }), 'CONFIRMED', 'COMPLETED', 90_000)
  expect(order.body['status']).toBe('CONFIRMED')
}, 120_000)
