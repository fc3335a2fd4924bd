import { afterEach, describe, expect, it } from '@jest/globals'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import fc from 'fast-check'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { Bulkhead } from './bulkhead.js'
import { ProviderHttp } from './http.js'

const signal = new AbortController().signal

describe('a bulkhead', () => {
  it('never holds more than its places, lets those in who wait longest, and turns others away at once', async () => {
    const steps = fc.array(fc.constantFrom('enter', 'leave', 'give up'), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 3 }), steps, async (places, queue, taken) => {
        const bulkhead = new Bulkhead(places, queue)
        const inside: (() => void)[] = []
        const waiting: { readonly nth: number; readonly stop: AbortController }[] = []
        const entered: number[] = []
        for (const [nth, step] of taken.entries()) {
          if (step === 'enter') {
            const stop = new AbortController()
            const full = inside.length === places
            const turnedAway = full && waiting.length === queue
            if (full && !turnedAway) waiting.push({ nth, stop })
            void bulkhead.enter(stop.signal).then((leave) => {
              if (!leave) return
              entered.push(nth)
              inside.push(leave)
            })
          } else if (step === 'leave') {
            const next = inside.length === places ? waiting.shift() : undefined
            const before = entered.length
            inside.shift()?.()
            await Promise.resolve()
            await Promise.resolve()
            await Promise.resolve()
            if (next) expect(entered.slice(before)).toEqual([next.nth])
          } else {
            waiting.pop()?.stop.abort()
          }
          for (let turns = 0; turns < 5; turns++) await Promise.resolve()
          expect([bulkhead.inside, bulkhead.waiting]).toEqual([inside.length, waiting.length])
          expect(inside.length).toBeLessThanOrEqual(places)
        }
      }),
    )
  })

  it('lets nobody in whose time is over', async () => {
    expect(await new Bulkhead(1).enter(AbortSignal.abort())).toBeUndefined()
  })
})

describe('the HTTP of providers', () => {
  const ends: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
  })

  const provider = async (answer: (response: ServerResponse) => void, { places = 4, find_ms = 10_000 } = {}) => {
    const held: ServerResponse[] = []
    let connections = 0
    const server: Server = createServer((_, response) => {
      held.push(response)
      answer(response)
    })
    server.on('connection', () => connections++)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const http = new ProviderHttp({
      url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
      headers: {},
      clock: systemClock,
      timeout_ms: { authorise: 10_000, find: find_ms, change: 10_000, report: 10_000 },
      bulkhead: new Bulkhead(places),
    })
    ends.push(async () => {
      await http.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    return { http, held, connections: () => connections, find: () => http.call('find', 'GET', '/', signal) }
  }
  const atOnce = (response: ServerResponse) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{}')

  it('of a slow one fills its own places, and others go on', async () => {
    const slow = await provider(() => undefined)
    const fast = await provider(atOnce)
    const calls = Array.from({ length: 20 }, () => slow.find())
    await eventually('the slow one has what it may', () => slow.held.length === 4)
    // Four are with it, one waits, and the rest were turned away without being sent.
    const settled = await Promise.all(
      calls.map((call) => Promise.race([call, new Promise<'waits'>((resolve) => setImmediate(resolve, 'waits'))])),
    )
    expect(settled.filter((each) => each === 'waits').length).toBe(5)
    expect(settled.filter((each) => each !== 'waits' && !each.answered && !each.sent).length).toBe(15)
    expect([slow.http.bulkhead.inside, slow.http.bulkhead.waiting, slow.http.breaker.state]).toEqual([4, 1, 'closed'])
    for (let times = 0; times < 50; times++) expect(await fast.find()).toMatchObject({ answered: true, status: 200 })
    expect(slow.held.length).toBe(4)
    slow.held.forEach(atOnce)
    await eventually('the one that waited', () => slow.held.length === 5)
    slow.held.slice(4).forEach(atOnce)
    expect((await Promise.all(calls)).filter(({ answered }) => answered).length).toBe(5)
    expect([slow.http.bulkhead.inside, slow.http.bulkhead.waiting]).toEqual([0, 0])
  })

  it('keeps its connections, and opens no more than its places', async () => {
    const { find, connections } = await provider(atOnce)
    for (let times = 0; times < 20; times++) await find()
    expect(connections()).toBeLessThanOrEqual(2)
    await Promise.all(Array.from({ length: 5 }, find))
    expect(connections()).toBeLessThanOrEqual(4)
  })

  it('waits for each step as long as that step may take', async () => {
    const { http, held, find } = await provider(() => undefined, { find_ms: 50 })
    const paying = http.call('authorise', 'POST', '/', signal, { body: {} })
    expect(await find()).toEqual({ answered: false, sent: true, detail: 'TimeoutError' })
    expect(http.bulkhead.inside).toBe(1)
    held.filter(({ destroyed }) => !destroyed).forEach(atOnce)
    expect(await paying).toMatchObject({ answered: true })
  })
})
