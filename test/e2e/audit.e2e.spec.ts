import { beforeAll, describe, expect, it } from '@jest/globals'
import { examplesOf, fetchDocument, makeThings, operationsOf, urlOf, type Example, type Operation } from './operations.js'
import { call, newCustomerId, newKey, poll, staffToken, token, type Answer } from './shop.js'

/** Roles that customers do not have. */
const PRIVILEGED = ['merchant', 'support', 'risk', 'auditor', 'admin', 'service'] as const

let operations: readonly Operation[]
let examples: Readonly<Record<string, Example>>

beforeAll(async () => {
  operations = operationsOf(await fetchDocument()).filter(({ method, open }) => method !== 'GET' && !open)
  examples = examplesOf(await makeThings())
})

interface Entry {
  readonly path: string
  readonly action: string
  readonly status: number
}

describe('the audit trail', () => {
  it('has an entry of every operation that a role beside the customer’s may call, whether it was done or refused', async () => {
    const actor = newCustomerId()
    const staff = await token(actor, ...PRIVILEGED)
    const answers: { readonly id: string; readonly path: string; readonly status: number }[] = []
    for (const operation of operations) {
      const example = examples[operation.id]
      if (!example) throw new Error(`no example of ${operation.id}`)
      const path = urlOf(operation, example)
      const answer = await call(operation.method, path, { token: staff, key: newKey(), body: example.bodies?.at(-1) })
      answers.push({ id: operation.id, path, status: answer.status })
    }
    // What only a customer may do; what is not there, or not this caller's; and hands on many sagas, of which each has its own entry
    // (payment-saga.int.spec.ts). Anything else is an act, and a new operation that leaves no entry fails here.
    const idsWith = (status: number) =>
      answers
        .filter((each) => each.status === status)
        .map(({ id }) => id)
        .sort()
    expect(idsWith(403)).toEqual([
      'POST /v1/orders',
      'POST /v1/orders/{id}/return',
      'POST /v1/transfers',
      'POST /v1/wallets/{id}/loads',
      'PUT /v1/wallets/{id}/beneficiaries/{walletId}',
    ])
    expect(idsWith(404).filter((id) => examples[id]?.absent !== true)).toEqual([])
    const acts = answers.filter(({ id, status }) => ![403, 404].includes(status) && !/^POST \/v1\/sagas\/\w+$/.test(id))
    expect(acts.filter(({ status }) => status >= 300 && ![409, 422].includes(status))).toEqual([])
    expect(acts.length).toBeGreaterThan(20)

    const auditor = await staffToken('auditor')
    const entries = (answer: Answer) => (answer.body['items'] ?? []) as unknown as readonly Entry[]
    const trail = await poll(
      () => call('GET', `/v1/ops/audit?actor=${actor}&limit=100`, { token: auditor }),
      (answer) => entries(answer).length >= acts.length,
    )
    const told = entries(trail).map(({ path, status }) => `${status} ${path}`)
    expect(told.sort()).toEqual(acts.map(({ path, status }) => `${status} ${path}`).sort())
  })
})
