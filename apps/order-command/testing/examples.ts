import type { Call } from './running-app.js'

export const merchant = { sub: 'm-1', roles: ['merchant'] } as const
export const asha = { sub: 'c-asha', roles: ['customer'] } as const
export const ravi = { sub: 'c-ravi', roles: ['customer'] } as const

export const airdopes = {
  title: 'boAt Airdopes 141',
  description: 'बोट एयरडोप्स 141',
  category: 'audio',
  brand: 'boAt',
  price: { amount: '149900', currency: 'INR' },
  gstRate: 18,
  hsn: '8518',
  attributes: { colour: 'black' },
}

export const address = {
  name: 'Asha Rao',
  line1: '14 MG Road',
  city: 'Bengaluru',
  state: 'KA',
  pincode: '560001',
  phone: '+919876543210',
}

export const walletPayment = { method: 'wallet', walletId: '0190a000-0000-7000-8000-0000000000aa' }

export const basket = (more: object = {}) => ({
  items: [{ sku: 'BOAT-141', quantity: 2 }],
  shippingAddress: address,
  payment: walletPayment,
  ...more,
})

let keys = 0
export const placing = (body: unknown = basket(), key = `key-${++keys}`): Call => ({ as: asha, headers: { 'idempotency-key': key }, body })
