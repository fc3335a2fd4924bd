import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import type { ConsistencyToken } from '#platform'
import { Redis } from 'ioredis'
import { failWithout, skippedWithout } from '../../test/support/kafka.mjs'
import { redisMissing, startRedis, type TestRedis } from '../../test/support/redis.mjs'
import { INCARNATION, messages } from './testing/messages.js'
import { openWorld, type World } from './testing/world.js'

const missing = redisMissing()

if (!skippedWithout({ describe, it }, 'the read cache on Redis', missing))
  describe('a product that is read, with Redis', () => {
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

    const token = (sku: string, version: number, kind = 'product'): ConsistencyToken => ({
      incarnation: INCARNATION,
      streams: { [`${kind}-${sku}`]: version },
    })
    /** On a busy machine the consumers may need more than one wait: 503 says to ask again. */
    const title = async (sku: string, with_?: ConsistencyToken) => {
      for (let tries = 0; ; tries++) {
        const { status, body, headers } = await world.get(`/v1/products/${sku}`, with_ ? { token: with_ } : {})
        if (status !== 503 || tries === 20) return [status, body['title'], headers['etag']]
      }
    }
    const outcomes = async (outcome: string): Promise<number> => {
      const { body } = await world.app.inject({ method: 'GET', url: '/metrics' })
      return Number(new RegExp(`^read_cache_total\\{outcome="${outcome}",[^}]*\\} (\\d+)$`, 'm').exec(body)?.[1] ?? 0)
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

    it('goes on without it, from the database', async () => {
      await kept('ALONE')
      await redis.stop()
      await change('ALONE')
      for (let read = 0; read < 20; read++) expect(await title('ALONE')).toEqual([200, 'by hand', '"1"'])
      expect(await outcomes('away')).toBeGreaterThanOrEqual(20)
      await world.publish(messages.product({ sku: 'ALONE', version: 2, title: 'anew' }))
      expect(await title('ALONE', token('ALONE', 2))).toEqual([200, 'anew', '"2"'])
    })
  })
