import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { newHome, removeHome, startPlatform } from '../support/platform.mjs'

/** A platform of its own: what others do must not be limited by what is tried here. */
let platform: Awaited<ReturnType<typeof startPlatform>>

beforeAll(async () => {
  platform = await startPlatform({ home: await newHome(), env: { RATE_LIMIT_PER_SECOND: '1', RATE_LIMIT_BURST: '20' } })
}, 300_000)

afterAll(async () => {
  await platform?.stop()
  if (platform) await removeHome(platform.home)
})

const tokenOf = async (sub: string): Promise<string> => {
  const answer = await fetch(`${platform.baseUrl}/v1/dev/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sub, roles: ['customer'] }),
  })
  return ((await answer.json()) as { accessToken: string }).accessToken
}
const orders = (token: string, headers: Record<string, string> = {}) =>
  fetch(`${platform.baseUrl}/v1/orders`, { headers: { authorization: `Bearer ${token}`, ...headers } })

describe('the rate limit', () => {
  it('is by caller: 429 says when to come again, and others go on', async () => {
    const [busy, other] = [await tokenOf('busy'), await tokenOf('other')]
    const answers = await Promise.all(Array.from({ length: 60 }, () => orders(busy)))
    const refused = answers.filter(({ status }) => status === 429)
    const taken = answers.filter(({ status }) => status === 200)
    expect(taken.length + refused.length).toBe(60)
    expect(taken.length).toBeGreaterThanOrEqual(20)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      expect(answer.headers.get('ratelimit-policy')).toBe('"default";q=20;w=20')
      expect(answer.headers.get('ratelimit')).toMatch(/^"default";r=0;t=\d+$/)
      expect(await answer.json()).toMatchObject({ type: '/problems/rate-limited', status: 429, instance: '/v1/orders' })
    }
    const free = await orders(other)
    expect([free.status, free.headers.get('ratelimit')]).toEqual([200, expect.stringMatching(/^"default";r=1\d;t=20$/)])
  })

  it('comes after 401 and before 413', async () => {
    const busy = await tokenOf('busier')
    const post = (headers: Record<string, string>) =>
      fetch(`${platform.baseUrl}/v1/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: 'x'.repeat(300_000),
      })
    const statuses = (await Promise.all(Array.from({ length: 60 }, () => post({ authorization: `Bearer ${busy}` })))).map(
      ({ status }) => status,
    )
    expect(statuses).toContain(429)
    expect(statuses.filter((status) => ![429, 413].includes(status))).toEqual([])
    expect((await post({ authorization: 'Bearer rubbish' })).status).toBe(401)
  })

  it('does not keep probes out', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => fetch(`${platform.baseUrl}/health/live`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })
})
