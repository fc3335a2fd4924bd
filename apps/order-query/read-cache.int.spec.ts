import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import type { ConsistencyToken } from '#platform'
import { Redis } from 'ioredis'
import { failWithout, skippedWithout } from '../../test/support/kafka.mjs'
import { redisMissing, startRedis, type TestRedis } from '../../test/support/redis.mjs'
import { INCARNATION, messages, orderId } from './testing/messages.js'
import { openWorld, type GetOptions, type World } from './testing/world.js'

const missing = redisMissing()

if (!skippedWithout({ describe, it }, 'the read cache on Redis', missing))
  describe('what is read, with Redis', () => {
    let redis: TestRedis
    let client: Redis
    let world: World
    beforeAll(async () => {
      failWithout(missing)
      redis = await startRedis()
      client = new Redis(redis.url)
      client.on('error', () => undefined)
      world = await openWorld({}, { REDIS_URL: redis.url })
      await world.app.startAllMicroservices()
      await world.app.init()
    })
    afterAll(async () => {
      client.disconnect()
      await world.close()
      await redis.stop()
    })

    const token = (id: string, version: number, kind = 'product'): ConsistencyToken => ({
      incarnation: INCARNATION,
      streams: { [`${kind}-${id}`]: version },
    })
    /** On a busy machine the consumers may need more than one wait: 503 says to ask again. */
    const read = async (path: string, options: GetOptions) => {
      for (let tries = 0; ; tries++) {
        const answer = await world.get(path, options)
        if (answer.status !== 503 || tries === 20) return answer
      }
    }
    const title = async (sku: string, with_?: ConsistencyToken) => {
      const { status, body, headers } = await read(`/v1/products/${sku}`, with_ ? { token: with_ } : {})
      return [status, body['title'], headers['etag']]
    }
    const outcomes = async (outcome: string, kind = 'product'): Promise<number> => {
      const { body } = await world.app.inject({ method: 'GET', url: '/metrics' })
      return Number(new RegExp(`^read_cache_total\\{kind="${kind}",outcome="${outcome}",[^}]*\\} (\\d+)$`, 'm').exec(body)?.[1] ?? 0)
    }
    /** Published, seen, and kept: what says that it changed is over. */
    const kept = async (sku: string) => {
      await world.publish(messages.product({ sku, version: 1, title: 'as it was' }))
      await eventually('it is seen', async () => (await title(sku))[0] === 200)
      await eventually('it is kept', async () => (await title(sku))[0] === 200 && Boolean(await client.get(`product:${sku}`)), 10_000)
    }
    /** By a hand of which nobody is told: who sees it asked the database. */
    const change = (sku: string) => world.source.query(`UPDATE products SET title = 'by hand' WHERE sku = $1`, [sku])

    it('is taken from it, and passed by for whoever wrote to it', async () => {
      await kept('KEPT')
      await change('KEPT')
      const hits = await outcomes('hit')
      // A Redis that does not answer at once is passed by too, and for a moment after.
      for (const other of [undefined, token('OTHER', 3, 'wallet')])
        await eventually('it is taken from it', async () => (await title('KEPT', other))[1] === 'as it was')
      expect(await outcomes('hit')).toBe(hits + 2)
      expect(await title('KEPT', token('KEPT', 1))).toEqual([200, 'by hand', '"1"'])
      expect(await client.pttl('product:KEPT')).toBeGreaterThan(0)
    })

    it('is never the one before a change that its writer has seen, and soon for nobody', async () => {
      await kept('CHANGED')
      for (let version = 2; version <= 20; version++) {
        await world.publish(messages.product({ sku: 'CHANGED', version, title: `v${version}` }))
        expect(await title('CHANGED', token('CHANGED', version))).toEqual([200, `v${version}`, `"${version}"`])
        await eventually('all see it', async () => (await title('CHANGED'))[1] === `v${version}`)
        expect(await title('CHANGED')).toEqual([200, `v${version}`, `"${version}"`])
      }
      await world.publish(messages.stock({ sku: 'CHANGED', version: 1, onHand: 9, reserved: 0, available: 9 }))
      await title('CHANGED', token('CHANGED', 1, 'stock'))
      const { body } = await world.get('/v1/products/CHANGED', { token: token('CHANGED', 1, 'stock') })
      expect(body['available']).toBe(9)
    })

    it('what is not there is not kept', async () => {
      expect((await title('NOWHERE'))[0]).toBe(404)
      expect((await title('NOWHERE'))[0]).toBe(404)
      expect(await client.exists('product:NOWHERE')).toBe(0)
    })

    describe('an order', () => {
      const address = { name: 'Asha Rao', line1: '14 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' }
      const owner = (sub: string): GetOptions => ({ as: [sub, 'customer'] })
      const support: GetOptions = { as: ['s-1', 'support'] }
      const one = (id: string, options: GetOptions) => read(`/v1/orders/${id}`, options)
      const status = async (id: string, options: GetOptions) => (await one(id, options)).body['status']
      /** As `change`, above. */
      const confirm = (id: string) => world.source.query(`UPDATE orders SET status = 'CONFIRMED' WHERE order_id = $1`, [id])
      /** It is kept now; from here for longer than this test takes on a slow machine. */
      const keepOn = (id: string) =>
        eventually('it is kept', async () => {
          await one(id, support)
          if (!(await client.get(`order:${id}`))) return false
          const [left_ms, held] = [await client.pttl(`order:${id}`), await client.pexpire(`order:${id}`, 120_000)]
          return left_ms > 0 && left_ms <= 5_000 && held === 1
        })
      const keptOrder = async (number: number, customerId: string) => {
        const id = orderId(number)
        const shippingAddress = await world.sealedFor(customerId, JSON.stringify(address))
        await world.publish(messages.placed({ orderId: id, customerId, shippingAddress }))
        await eventually('it is seen', async () => (await one(id, support)).status === 200)
        await keepOn(id)
        return id
      }

      it('is taken from it by whoever may see it, each as much as they may, and passed by for whoever wrote to it', async () => {
        const id = await keptOrder(1, 'c-1')
        await confirm(id)
        const addressFor = async (options: GetOptions) => {
          let shown: unknown
          await eventually('it is taken from it', async () => {
            const { body } = await one(id, options)
            shown = body['shippingAddress']
            return body['status'] === 'PLACED'
          })
          return shown
        }
        expect(await addressFor(owner('c-1'))).toEqual(address)
        expect(await addressFor(support)).toEqual({ ...address, phone: '+91******3210' })
        expect(await addressFor({ as: ['r-1', 'risk'] })).toBeUndefined()
        expect(await outcomes('hit', 'order')).toBeGreaterThanOrEqual(3)
        expect(await status(id, { ...owner('c-1'), token: token(id, 1, 'order') })).toBe('CONFIRMED')
      })

      it('of somebody else is 404 from it too', async () => {
        const id = await keptOrder(2, 'c-1')
        // The database would show it to the other of the two.
        await world.source.query(`UPDATE orders SET customer_id = 'c-2' WHERE order_id = $1`, [id])
        await eventually('it is shown from it', async () => (await one(id, owner('c-1'))).status === 200)
        await eventually('it is refused from it', async () => {
          const { status: refused, body } = await one(id, owner('c-2'))
          return refused === 404 && body['type'] === '/problems/not-found'
        })
      })

      it('lies in it sealed, and shows nothing personal once its customer is erased', async () => {
        const id = await keptOrder(3, 'c-erased')
        await confirm(id)
        const text = await client.get(`order:${id}`)
        for (const part of Object.values(address).filter((value) => value.length > 2)) expect(text).not.toContain(part)
        await world.erase('c-erased')
        for (const options of [support, owner('c-erased')])
          await eventually('it is shown from it without', async () => {
            const { body } = await one(id, options)
            return body['status'] === 'PLACED' && !('shippingAddress' in body)
          })
      })

      it('is seen to move by what happens to it and to its payment', async () => {
        const id = await keptOrder(4, 'c-1')
        await world.publish(messages.confirmed({ orderId: id, version: 2 }))
        expect(await status(id, { ...owner('c-1'), token: token(id, 2, 'order') })).toBe('CONFIRMED')
        await eventually('all see it', async () => (await status(id, support)) === 'CONFIRMED')
        await keepOn(id)
        await world.publish(messages.payment({ orderId: id, status: 'COMPLETED' }))
        await eventually('its payment is seen', async () => {
          const { body } = await one(id, support)
          return (body as { payment?: { status?: string } }).payment?.status === 'COMPLETED'
        })
      })
    })

    it('goes on from the database while it hangs, and is taken from it again afterwards', async () => {
      await kept('HANGS')
      const away = await outcomes('away')
      process.kill(redis.pid, 'SIGSTOP')
      try {
        await change('HANGS')
        for (let read = 0; read < 20; read++) expect(await title('HANGS')).toEqual([200, 'by hand', '"1"'])
        await world.publish(messages.product({ sku: 'HANGS', version: 2, title: 'anew' }))
        expect(await title('HANGS', token('HANGS', 2))).toEqual([200, 'anew', '"2"'])
      } finally {
        process.kill(redis.pid, 'SIGCONT')
      }
      expect(await outcomes('away')).toBeGreaterThanOrEqual(away + 20)
      const hits = await outcomes('hit')
      await eventually('it is taken from it again', async () => {
        await title('HANGS')
        return (await outcomes('hit')) > hits
      })
      expect(await title('HANGS')).toEqual([200, 'anew', '"2"'])
    })

    it('goes on without it, from the database', async () => {
      await kept('ALONE')
      await redis.stop()
      await change('ALONE')
      for (let read = 0; read < 20; read++) expect(await title('ALONE')).toEqual([200, 'by hand', '"1"'])
      expect(await outcomes('away')).toBeGreaterThanOrEqual(20)
      await world.publish(messages.product({ sku: 'ALONE', version: 2, title: 'anew' }))
      expect(await title('ALONE', token('ALONE', 2))).toEqual([200, 'anew', '"2"'])
      const id = orderId(5)
      const own: GetOptions = { as: ['c-1', 'customer'] }
      await world.publish(messages.placed({ orderId: id }))
      expect((await read(`/v1/orders/${id}`, { ...own, token: token(id, 1, 'order') })).status).toBe(200)
      await world.publish(messages.confirmed({ orderId: id, version: 2 }))
      expect((await read(`/v1/orders/${id}`, { ...own, token: token(id, 2, 'order') })).body['status']).toBe('CONFIRMED')
      expect((await read(`/v1/orders/${id}`, own)).body['status']).toBe('CONFIRMED')
      expect(await outcomes('away', 'order')).toBeGreaterThan(0)
    })
  })
