import { beforeAll, describe, expect, it } from '@jest/globals'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { runInNewContext } from 'node:vm'
import {
  examplesOf,
  fetchDocument,
  makeThings,
  operationsOf,
  resolved,
  urlOf,
  type Document,
  type Example,
  type Operation,
  type Things,
} from './operations.js'
import { baseUrl, call, newKey } from './shop.js'

let document: Document
let operations: readonly Operation[]
let things: Things
let examples: Readonly<Record<string, Example>>
beforeAll(async () => {
  document = await fetchDocument()
  operations = operationsOf(document)
  things = await makeThings()
  examples = examplesOf(things)
})

const SQL = [
  `' OR '1'='1`,
  `'; DROP TABLE orders; --`,
  `1) OR 1=1 --`,
  `' UNION SELECT version(), NULL --`,
  `$1`,
  `\\'`,
  `%' OR 1=1 --`,
  `"; SELECT pg_sleep(30); --`,
]
const OTHERS = [
  '{"$gt":""}',
  '${jndi:ldap://127.0.0.1/x}',
  '{{7*7}}',
  '../../etc/passwd',
  '\r\nset-cookie: a=b',
  '<script>alert(1)</script>',
  '*',
  '%',
]

describe('injection', () => {
  it('into every filter of every list neither breaks, nor widens, nor runs anything', async () => {
    const filters = operations
      .filter(({ method }) => method === 'GET')
      .flatMap((operation) => operation.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => ({ operation, name })))
    expect(filters.length).toBeGreaterThan(15)
    const wrong: string[] = []
    for (const { operation, name } of filters) {
      const example = examples[operation.id]
      if (!example) throw new Error(`no example of ${operation.id}`)
      const without = (example.query ?? '').split('&').filter((part) => part !== '' && !part.startsWith(`${name}=`))
      for (const payload of [...SQL, ...OTHERS]) {
        const query = [...without, `${name}=${encodeURIComponent(payload)}`].join('&')
        const answer = await call(operation.method, urlOf(operation, example, query), { token: things.all })
        const items = (answer.body as { items?: readonly unknown[] }).items
        // Free text may be searched for, and what nobody wrote is not found. Any other filter has a form of its own.
        const fine = answer.status === 400 || answer.status === 404 || (answer.status === 200 && (name === 'q' || items?.length === 0))
        if (!fine) wrong.push(`${operation.id} ${name}=${payload}: ${answer.status} ${answer.text.slice(0, 200)}`)
        if (/syntax error|pg_|relation|PostgreSQL 1/i.test(answer.text.replaceAll(payload, '')))
          wrong.push(`${operation.id} ${name} tells of the inside`)
        if (answer.headers.get('set-cookie')) wrong.push(`${operation.id} ${name} sets a cookie`)
      }
    }
    expect(wrong).toEqual([])
    // Nothing was dropped.
    const list = operations.find(({ id }) => id === 'GET /v1/orders')
    expect((await call('GET', `/v1/orders?limit=1`, { token: things.all })).status).toBe(list ? 200 : 0)
  }, 300_000)
})

describe('mass assignment', () => {
  it('of what is not the caller’s to say is a 400 that names each field, on every body', async () => {
    const own = ['status', 'customerId', 'ownerId', 'totals', 'version', 'captured', 'roles', 'isAdmin', 'by', 'internal']
    const wrong: string[] = []
    const bodies = operations.filter(({ id, body }) => body !== undefined && id !== 'POST /v1/webhooks/{provider}' && !examples[id]?.absent)
    expect(bodies.length).toBeGreaterThan(10)
    let tried = 0
    for (const operation of bodies) {
      const example = examples[operation.id]
      for (const body of example?.bodies ?? []) {
        if (!example || typeof body !== 'object' || body === null || Array.isArray(body)) continue
        const schema = resolved(document, operation.body ?? {})
        const taken = new Set(
          [schema, ...(schema.oneOf ?? []).map((each) => resolved(document, each))].flatMap(({ properties = {} }) =>
            Object.keys(properties),
          ),
        )
        const added = own.filter((name) => !(name in body) && !taken.has(name))
        const answer = await call(operation.method, urlOf(operation, example), {
          token: things.all,
          body: { ...body, ...Object.fromEntries(added.map((name) => [name, 'x'])) },
          headers: { 'idempotency-key': newKey() },
        })
        const pointers = new Set(
          ((answer.body['errors'] as unknown as readonly { pointer: string }[] | undefined) ?? []).map(({ pointer }) => pointer),
        )
        const missed = added.filter((name) => !pointers.has(`/${name}`))
        if (answer.status !== 400 || missed.length > 0)
          wrong.push(`${operation.id}: ${answer.status} ${missed.join()} ${answer.text.slice(0, 200)}`)
        tried++
      }
    }
    expect(tried).toBeGreaterThan(bodies.length / 2)
    expect(wrong).toEqual([])
  })
})

describe('paths', () => {
  /** As they are: `fetch` would tidy them up. */
  const raw = async (path: string): Promise<string> => {
    const { hostname, port } = new URL(baseUrl())
    const socket = connect(Number(port), hostname)
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    return text(socket)
  }

  it.each([
    '/docs/../../../../etc/passwd',
    '/docs/..%2f..%2f..%2fetc%2fpasswd',
    '/docs/%2e%2e/%2e%2e/package.json',
    '/docs/..%5c..%5cpackage.json',
    '/v1/orders/..%2f..%2f..%2fetc%2fpasswd',
    '//etc/passwd',
    '/..;/..;/etc/passwd',
    '/v1/dev/../../package.json',
    '/provider-sandbox/..%2f..%2fpackage.json',
    '/.bahi/secrets.json',
    '/docs/%00',
  ])('%s leads nowhere', async (path) => {
    const answer = await raw(path)
    expect(answer).toMatch(/^HTTP\/1\.1 (400|401|403|404) /)
    expect(answer).not.toMatch(/root:|"dependencies"|masterKey|databasePassword/)
  })
})

describe('patterns', () => {
  /** Throws when it takes longer than `timeout`: a pattern that looks back and forth would take years. */
  const tryHard = (source: string, timeout: number) =>
    runInNewContext(
      `const pattern = new RegExp(source, 'u')
       for (const unit of ['a', '0', 'A1', '.', '-', 'a-', '0.', ' ', '@a', '+91', '_', '/', '='])
         for (const end of ['', '!', '\\n', '\\u0000']) pattern.test(unit.repeat(50_000) + end)`,
      { source },
      { timeout },
    )

  it('of the whole contract take hostile text of any length without looking back and forth', () => {
    const found = [...JSON.stringify(document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)]
    const patterns = new Set(found.map(([, source = '""']) => String(JSON.parse(source))))
    expect(patterns.size).toBeGreaterThan(5)
    for (const source of patterns) tryHard(source, 10_000)
    expect(() => tryHard('^(a+)+$', 200)).toThrow(/timed out/)
  })
})
