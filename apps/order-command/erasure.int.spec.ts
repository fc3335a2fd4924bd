import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { EventStore } from '#event-store'
import { eventually } from '#kernel/testing'
import { EVENT_STORE } from './ports.js'
import { address, airdopes, asha, basket, merchant, placing } from './testing/examples.js'
import { RunningApp } from './testing/running-app.js'

let running: RunningApp
beforeAll(async () => {
  running = await RunningApp.start()
  await running.call('PUT', '/v1/products/BOAT-141', { as: merchant, body: airdopes })
})
afterAll(() => running?.close(), 30_000)

/** Every row of every table of the database, the app's, the log's and the keys', as text; bytes are read as UTF-8 where they are such. */
const everythingStored = async (): Promise<string> => {
  const { rows: tables } = await running.pool.query<{ name: string; schema: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name, schemaname AS schema FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const texts: string[] = []
  for (const { name } of tables) {
    const { rows } = await running.pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
    texts.push(...rows.map(({ row }) => row), ...rows.flatMap(({ row }) => bytesIn(row)))
  }
  return texts.join('\n')
}

const bytesIn = (row: string): readonly string[] =>
  [...row.matchAll(/\\x([0-9a-f]{8,})/g)].map(([, hex]) => Buffer.from(hex ?? '', 'hex').toString())

const encodings = (key: Uint8Array): readonly string[] =>
  (['hex', 'base64url', 'base64'] as const).map((encoding) => Buffer.from(key).toString(encoding).replace(/=+$/, ''))

describe('erasing a person', () => {
  const body = basket({ payment: { method: 'upi', vpa: 'asha.rao@okbank' } })
  const personal = [address.name, address.line1, address.phone, 'asha.rao@okbank', 'no longer wanted']

  it('leaves nothing that shows or opens what was personal, while history stays whole', async () => {
    const first = placing(body)
    const placed = await running.call('POST', '/v1/orders', first)
    expect(placed.body['shippingAddress']).toEqual(address)
    const orderId = String(placed.body['orderId'])
    expect((await running.call('POST', '/v1/orders', first)).text).toBe(placed.text)
    const cancel = { as: asha, headers: { 'idempotency-key': 'cancel-1' }, body: { reason: 'no longer wanted' } }
    expect(await running.call('POST', `/v1/orders/${orderId}/cancel`, cancel)).toMatchObject({
      body: { shippingAddress: address, cancellation: { note: 'no longer wanted' } },
    })
    await eventually('both are published', () => running.heardOf('OrderCancelled', orderId).length > 0)
    const { key } = await running.subjectKeys.forSubject(asha.sub)
    const wrapped = (await running.pool.query<{ wrapped_key: Buffer }>('SELECT wrapped_key FROM keys.subject_keys')).rows[0]!.wrapped_key

    // Before the erasure too: events, answers and messages hold ciphertext alone, and the key is in one place only.
    const before = await everythingStored()
    expect(before).toContain(orderId)
    for (const text of personal) expect(before).not.toContain(text)
    for (const text of encodings(key)) expect(before).not.toContain(text)
    expect(before.split(wrapped.toString('hex'))).toHaveLength(2)

    expect(await running.subjectKeys.erase(asha.sub)).toBe(true)

    const after = await everythingStored()
    for (const text of [...personal, ...encodings(key), ...encodings(wrapped)]) expect(after).not.toContain(text)
    const sealed = running.heardOf('OrderPlaced', orderId).map(({ data }) => data['shippingAddress'] as never)
    expect(await running.subjectKeys.openAll(sealed)).toEqual([undefined])
    await eventually('answers kept are given without it', async () => {
      const again = await running.call('POST', `/v1/orders/${orderId}/cancel`, cancel)
      expect(again).toMatchObject({ status: 200, body: { orderId, status: 'CANCELLED', cancellation: { reason: 'customer' } } })
      return !('shippingAddress' in again.body) && !('note' in (again.body['cancellation'] as object))
    })
    expect(await running.call('POST', '/v1/orders', first)).toMatchObject({ status: 403, body: { type: '/problems/account-erased' } })
    const store = running.app.get<EventStore>(EVENT_STORE)
    expect(await store.verify(`order-${orderId}`)).toMatchObject({ ok: true, version: 2 })
  })
})
