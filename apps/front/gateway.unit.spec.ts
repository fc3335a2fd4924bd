import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { gatewayRoutes, gatewayUpstreams } from './gateway.js'
import { createRouter } from './router.js'
import { ROUTES } from './routing-table.js'

const folder = join(import.meta.dirname, '../../deploy/gateway')

describe("the gateway's configuration", () => {
  it.each([
    ['routes.conf', gatewayRoutes()],
    ['upstreams.conf.template', gatewayUpstreams()],
  ])('%s is what the routing table says', (name, text) => {
    const file = join(folder, name)
    if (process.env['BAHI_UPDATE_DOCS'] === 'true') writeFileSync(file, text)
    else expect(readFileSync(file, 'utf8')).toBe(text)
  })

  /** As nginx reads the map: the first regular expression that matches. */
  const patterns = [...gatewayRoutes().matchAll(/^ {2}"~(.+)" ([\w-]+);$/gm)].map(([, pattern = '', app = '']) => ({
    pattern: new RegExp(pattern),
    app,
  }))
  const appOf = (call: string): string => patterns.find(({ pattern }) => pattern.test(call))?.app ?? 'front'

  /** What the router of one process says. */
  const answered: string[] = []
  const to = (app: string) => () => void answered.push(app)
  const router = createRouter(ROUTES, {
    apps: {
      'order-command': to('order-command'),
      'order-query': to('order-query'),
      wallet: to('wallet'),
      'payment-saga': to('payment-saga'),
      fraud: to('fraud'),
    },
    front: to('front'),
    sandbox: to('sandbox'),
  })
  const routed = (method: string, url: string): string | undefined => {
    router({ method, url, headers: {} } as IncomingMessage, {} as ServerResponse)
    return answered.pop()
  }

  it('sends every call where the router of one process sends it, with and without a query', () => {
    const segment = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9._~-]{1,40}$/),
      fc.constantFrom(...ROUTES.flatMap(({ path }) => path.split('/').filter((word) => /^\w+$/.test(word)))),
    )
    fc.assert(
      fc.property(fc.constantFrom(...ROUTES), segment, fc.constantFrom('', '?', '?a=/v1/orders'), ({ method, path }, id, query) => {
        const url = `${path.replace(/\{\w+\}/g, id)}${query}`
        for (const each of method === 'GET' ? ['GET', 'HEAD', 'DELETE'] : [method, 'PATCH'])
          expect([each, url, appOf(`${each} ${url}`)]).toEqual([each, url, routed(each, url)])
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    'GET /',
    'GET /v1',
    'GET /v1/orders/',
    'GET /v1/orders/a/b/c',
    'DELETE /v1/orders',
    'GET /v1/ordersx',
    'GET /x/v1/orders',
    'GET /docs/',
  ])('leaves %s to the front', (call) => {
    expect(appOf(call)).toBe('front')
  })
})
