import { beforeAll, describe, expect, it } from '@jest/globals'
import {
  examplesOf,
  fetchDocument,
  makeThings,
  operationsOf,
  OWNER,
  urlOf,
  type Example,
  type Operation,
  type Things,
} from './operations.js'
import { ADDRESS, call, getOrder, newCustomerId, token } from './shop.js'

let reads: readonly Operation[]
let things: Things
let examples: Readonly<Record<string, Example>>

beforeAll(async () => {
  reads = operationsOf(await fetchDocument()).filter(({ method, open }) => method === 'GET' && !open)
  things = await makeThings()
  examples = examplesOf(things)
})

const PHONE = ADDRESS.phone.slice(3)

/** What of the address an answer holds. */
const found = (text: string): readonly string[] => {
  const parts = { name: ADDRESS.name, line1: ADDRESS.line1, phone: PHONE }
  return Object.entries(parts).flatMap(([part, value]) => (text.includes(value) ? [part] : []))
}

describe('a customer’s name, address and phone', () => {
  it('are in no answer to a role that may not see them, on every read; support sees the phone masked, the owner all', async () => {
    const seen: Record<string, Record<string, readonly string[]>> = {}
    let answered = 0
    for (const role of ['customer', 'merchant', 'support', 'risk', 'auditor', 'admin', 'service']) {
      const caller = await token(newCustomerId(), role)
      for (const operation of reads) {
        const example = examples[operation.id]
        if (!example) throw new Error(`no example of ${operation.id}`)
        const { status, text } = await call('GET', urlOf(operation, example), { token: caller })
        if (status === 200) answered += 1
        if (found(text).length > 0) seen[role] = { ...seen[role], [operation.id]: found(text) }
      }
    }
    expect(seen).toEqual({ support: { 'GET /v1/orders': ['name', 'line1'], 'GET /v1/orders/{id}': ['name', 'line1'] } })
    expect(answered).toBeGreaterThan(50)
    const own = await getOrder({ id: OWNER, token: await token(OWNER, 'customer') }, things.orderId)
    expect(found(own.text)).toEqual(['name', 'line1', 'phone'])
    const shown = await getOrder({ id: '', token: await token(newCustomerId(), 'support') }, things.orderId)
    expect(shown.body['shippingAddress']).toEqual({ ...ADDRESS, phone: `+91******${PHONE.slice(-4)}` })
  })
})
