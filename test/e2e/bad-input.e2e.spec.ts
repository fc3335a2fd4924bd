import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  examplesOf,
  fetchDocument,
  makeThings,
  operationsOf,
  urlOf,
  type Document,
  type Example,
  type Operation,
  type Things,
} from './operations.js'
import { baseUrl, call, newKey, poll, type Answer } from './shop.js'
import { BROKEN, NO_OBJECTS, wrongsOf } from './wrong.js'

/** Generated from /openapi.json: each field of each body wrong in each way, and then anything at all. */
let document: Document
let operations: Operation[]
let things: Things
let examples: Readonly<Record<string, Example>>

beforeAll(async () => {
  document = await fetchDocument()
  operations = operationsOf(document)
  things = await makeThings()
  examples = examplesOf(things)
})

// A check of a busy machine may take too long once; what broke does not come back.
afterEach(async () => {
  await poll(
    () => call('GET', '/health/ready'),
    ({ status, body }) => status === 200 && body['status'] === 'ok',
  )
})

const example = (operation: Operation): Example => {
  const found = examples[operation.id]
  if (!found) throw new Error(`operations.ts has no example of ${operation.id}`)
  return found
}
/** Where the thing of the path is there: what is not is 404, whatever else is wrong. */
const there = () => operations.filter((operation) => !example(operation).absent)
const withBody = () => there().filter(({ body }) => body !== undefined)
/** A webhook's body is the provider's: what is wrong with it is 401 or 400, without pointers. */
const ours = () => withBody().filter(({ id }) => id !== 'POST /v1/webhooks/{provider}')

const send = (operation: Operation, body: unknown, headers: Record<string, string> = {}, query?: string): Promise<Answer> =>
  call(operation.method, urlOf(operation, example(operation), query), {
    token: things.all,
    ...(body === undefined ? {} : { body }),
    headers: {
      ...(operation.parameters.some(({ name }) => name === 'Idempotency-Key') ? { 'idempotency-key': newKey() } : {}),
      'x-sandbox-signature': 't=1,v1=00',
      ...headers,
    },
  })

const isProblem = ({ status, headers, body }: Answer): boolean =>
  headers.get('content-type') === 'application/problem+json' &&
  body['status'] === status &&
  /^\/problems\/[a-z0-9-]+$/.test(String(body['type'])) &&
  ['title', 'detail', 'instance'].every((name) => typeof body[name] === 'string' && body[name] !== '') &&
  /^[0-9a-f]{32}$/.test(String(body['traceId'])) &&
  !/select |insert |\bat .*\.[jt]s:|node_modules|postgres|relation "/i.test(JSON.stringify(body))

const pointersOf = ({ body }: Answer): string[] =>
  ((body['errors'] as unknown as { pointer: string }[] | undefined) ?? []).map(({ pointer }) => pointer)

/** `pointer` itself, or something in it: of a wrong object the wrong member may be named. */
const names = (answer: Answer, pointer: string): boolean =>
  pointersOf(answer).some((given) => given === pointer || given.startsWith(`${pointer}/`) || (pointer === '' && given === ''))

/** In lanes, so that thousands of calls take seconds; answers what was not as it must be. */
const all = async <T>(items: readonly T[], complaint: (item: T) => Promise<string | undefined>): Promise<string[]> => {
  const complaints: string[] = []
  let next = 0
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) {
      const said = await complaint(item)
      if (said !== undefined) complaints.push(said)
    }
  }
  await Promise.all(Array.from({ length: 16 }, lane))
  return complaints
}

const brief = (answer: Answer): string => `${answer.status} ${answer.text.slice(0, 300)}`

/** Changes of no aggregate that a read could wait for: a token, a score, a provider's event, one hand on many things. */
const TOKENLESS = new Set([
  'POST /v1/dev/token',
  'POST /v1/fraud/scores',
  'POST /v1/webhooks/{provider}',
  'POST /v1/ops/dead-letters/{id}/redrive',
  'POST /v1/ops/dead-letters/redrive',
  ...['retry', 'compensate', 'resume', 'migrate'].map((hand) => `POST /v1/sagas/${hand}`),
])
/** Of two wallets, and of a day's run: no one aggregate whose version an ETag could be. */
const ETAGLESS = new Set(['POST /v1/transfers', 'POST /v1/settlements/{date}/reconciliation'])

/** What an accepted change tells in its head beside its body; of these, what is missing. */
const missingHeaders = ({ id, method }: Operation, { status, headers }: Answer): string[] => {
  if (method === 'GET' || status >= 300 || TOKENLESS.has(id)) return []
  const wanted = ['consistency-token', ...(ETAGLESS.has(id) ? [] : ['etag']), ...(status === 201 ? ['location'] : [])]
  return wanted.filter((name) => !headers.get(name))
}

describe('bad input', () => {
  it('every operation has an example, and every example an operation', () => {
    expect(Object.keys(examples).sort()).toEqual(operations.map(({ id }) => id).sort())
  })

  it('each field wrong in each way is a 400 that names it', async () => {
    const cases = ours().flatMap((operation) =>
      (example(operation).bodies ?? []).flatMap((body) =>
        wrongsOf(document, operation.body ?? {}, body).map((wrong) => ({ operation, wrong })),
      ),
    )
    expect(cases.length).toBeGreaterThan(1_000)
    const complaints = await all(cases, async ({ operation, wrong }) => {
      const answer = await send(operation, wrong.body)
      if (answer.status === 400 && isProblem(answer) && names(answer, wrong.pointer)) return undefined
      return `${operation.id}: ${wrong.pointer} ${wrong.what}: ${brief(answer)}`
    })
    expect(complaints).toEqual([])
  })

  it('a body that is no object, or no JSON, or too large, or of another type', async () => {
    const bodies = withBody().flatMap((operation) => [
      ...NO_OBJECTS.map(([what, text]) => ({ operation, what, text, status: [400], headers: {} })),
      ...BROKEN.map(([what, text]) => ({ operation, what, text, status: [400], headers: {} })),
      { operation, what: 'of 300 KB', text: JSON.stringify({ a: 'x'.repeat(300_000) }), status: [413], headers: {} },
      ...['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'nonsense'].map(
        (type) => ({
          operation,
          what: type,
          text: '{}',
          status: [415],
          headers: { 'content-type': type },
        }),
      ),
      { operation, what: 'gzip', text: '{}', status: [415], headers: { 'content-encoding': 'gzip' } },
    ])
    const complaints = await all(bodies, async ({ operation, what, text, status, headers }) => {
      const answer = await send(operation, text, headers)
      // A webhook's signature is looked at before its JSON's meaning.
      const expected = operation.id.startsWith('POST /v1/webhooks') && status[0] === 400 ? [400, 401] : status
      return expected.includes(answer.status) && isProblem(answer) ? undefined : `${operation.id}: ${what}: ${brief(answer)}`
    })
    expect(complaints).toEqual([])
  })

  it('a body of 10 MB is refused', async () => {
    const text = JSON.stringify({ a: 'x'.repeat(10 * 1024 * 1024) })
    const complaints = await all(withBody(), async (operation) => {
      // The server answers while the body still comes, and closes: a client that goes on writing may see the connection end instead.
      const answer = await send(operation, text).catch(() => undefined)
      return answer === undefined || (answer.status === 413 && isProblem(answer)) ? undefined : `${operation.id}: ${brief(answer)}`
    })
    expect(complaints).toEqual([])
  })

  it('no Idempotency-Key where one is needed, or one that is none', async () => {
    const keyed = there().filter(({ parameters }) => parameters.some(({ name }) => name === 'Idempotency-Key'))
    const complaints = await all(
      keyed.flatMap((operation) => {
        const required = operation.parameters.some(({ name, required: needed }) => name === 'Idempotency-Key' && needed)
        const keys: (readonly [string, string | undefined])[] = [
          ['a key of 256 characters', 'x'.repeat(256)],
          ['a key with a space', 'a b'],
          ['two keys', 'a, b'],
          ['a key beyond ASCII', 'clé'],
          ['an empty key', ''],
          ...(required ? ([['no key', undefined]] as [string, undefined][]) : []),
        ]
        return keys.map(([what, key]) => ({ operation, what, key }))
      }),
      async ({ operation, what, key }) => {
        const answer = await call(operation.method, urlOf(operation, example(operation)), {
          token: things.all,
          body: example(operation).bodies?.[0],
          ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
        })
        return answer.status === 400 && isProblem(answer) ? undefined : `${operation.id}: ${what}: ${brief(answer)}`
      },
    )
    expect(complaints).toEqual([])
  })

  it('an If-Match or a Consistency-Token that is none', async () => {
    const complaints = await all(
      there().flatMap((operation) =>
        operation.parameters
          .filter(({ name }) => name === 'If-Match' || name === 'Consistency-Token')
          .flatMap(({ name }) =>
            (name === 'If-Match' ? ['7', 'W/"7"', '"x"', '"07"', '"1", "2"', '""'] : ['x', '!', 'e30', 'a'.repeat(12_289)]).map(
              (value) => ({
                operation,
                name,
                value,
              }),
            ),
          ),
      ),
      async ({ operation, name, value }) => {
        const answer = await send(operation, example(operation).bodies?.[0], { [name.toLowerCase()]: value })
        return answer.status === 400 && isProblem(answer) ? undefined : `${operation.id}: ${name}: ${value.slice(0, 20)}: ${brief(answer)}`
      },
    )
    expect(complaints).toEqual([])
  })

  it('each query parameter wrong is a 400 that names it', async () => {
    // Of the shape of a place in a list by time, and none that the database knows.
    const places = [
      ['2026-01-01T00:00:00+23:00', 'x'],
      ['0000-01-01T00:00:00Z', 'x'],
      ['2026-02-30T00:00:00.000Z', 'x'],
      ['2026-01-01T00:00:00.000Z', 'a\0'],
    ].map((place) => Buffer.from(JSON.stringify(place)).toString('base64url'))
    const wrong: Readonly<Record<string, readonly string[]>> = {
      limit: ['0', '101', '-1', '1.5', 'x', '', '1e1', '9'.repeat(30), '1&limit=2'],
      cursor: ['!', 'x', 'eyJhIjoxfQ', 'W10', 'bnVsbA', 'a'.repeat(2_000), '', ...places],
      from: ['yesterday', '2026-13-01T00:00:00Z', '2026-01-01', ''],
      to: ['yesterday', '2026-02-30T00:00:00Z', '1'],
      at: ['yesterday', '2026-02-30T00:00:00Z', ''],
      version: ['0', '-1', 'x', '1.5', '9'.repeat(30)],
      minPrice: ['-1', '1.5', 'x', '', '9'.repeat(30)],
      maxPrice: ['-1', '1.5', 'x', ''],
      stuckFor: ['x', '-1', '1y', ''],
      ownerId: ['', 'a%20b', 'x'.repeat(200)],
      q: ['', '%00', 'x'.repeat(300)],
    }
    // A webhook is first asked for its signature.
    const strict = ({ path }: Operation) => path.startsWith('/v1/') && path !== '/v1/dev/jwks' && !path.startsWith('/v1/webhooks/')
    const complaints = await all(
      there().flatMap((operation) => {
        const mine = operation.parameters.filter((parameter) => parameter.in === 'query')
        return [
          ...mine.flatMap(({ name, schema, required }) =>
            [...(wrong[name] ?? []), ...(schema.enum ? ['nonsense', ''] : []), ...(required ? [undefined] : [])].map((value) => ({
              operation,
              name,
              value,
            })),
          ),
          ...(strict(operation) ? [{ operation, name: 'surprise', value: '1' }] : []),
        ]
      }),
      async ({ operation, name, value }) => {
        const parts = (example(operation).query ?? '').split('&').filter((part) => part !== '' && !part.startsWith(`${name}=`))
        // Of a pair that excludes each other only one is sent.
        const fitting = name === 'at' ? parts.filter((part) => !part.startsWith('version=')) : parts
        const query = [...fitting, ...(value === undefined ? [] : [`${name}=${value}`])].join('&')
        const answer = await call(operation.method, urlOf(operation, example(operation), query), { token: things.all })
        return answer.status === 400 && isProblem(answer) && names(answer, `/${name}`)
          ? undefined
          : `${operation.id}: ${name}=${value ?? '(none)'}: ${brief(answer)}`
      },
    )
    expect(complaints).toEqual([])
  })

  it('an id of the path that is none, or nobody’s, is 404 before fields are looked at', async () => {
    const bad = [
      'x',
      '1',
      '0190a000-0000-7000-8000-00000000dead',
      '%00',
      '..%2f..%2fetc',
      '%F0%9F%92%A9',
      'null',
      "'; drop table orders; --",
      'x'.repeat(300),
    ]
    // A client chooses a product's sku: of these `PUT` takes the ones that are well-formed.
    const makes = ({ id }: Operation, value: string) => id === 'PUT /v1/products/{sku}' && /^[\w.-]{1,64}$/.test(value)
    const named = /\{(id|provider|sku)\}/
    const complaints = await all(
      operations
        .filter(({ path }) => named.test(path))
        .flatMap((operation) => bad.filter((id) => !makes(operation, id)).map((id) => ({ operation, id }))),
      async ({ operation, id }) => {
        const path = operation.path.replace(named, id.includes('%') ? id : encodeURIComponent(id)).replace(/\{\w+\}/, things.other)
        const answer = await call(operation.method, path, {
          token: things.all,
          ...(operation.body ? { body: { surprise: 1 } } : {}),
          headers: { 'x-sandbox-signature': 't=1,v1=00' },
        })
        return answer.status === 404 && isProblem(answer) ? undefined : `${operation.id}: ${id.slice(0, 30)}: ${brief(answer)}`
      },
    )
    expect(complaints).toEqual([])
  })

  it('anything at all: never 5xx, always documented, always a problem', async () => {
    for (const operation of withBody()) {
      const bodies = example(operation).bodies ?? []
      /** A good body with some of its values replaced gets further than noise. */
      const almost = fc
        .tuple(
          fc.constantFrom(...bodies),
          fc.dictionary(fc.constantFrom(...bodies.flatMap((body) => Object.keys(body as object)), 'x'), fc.jsonValue({ maxDepth: 3 }), {
            maxKeys: 2,
          }),
        )
        .map(([body, changes]) => ({ ...(body as object), ...changes }))
      await fc.assert(
        fc.asyncProperty(fc.oneof(fc.jsonValue({ maxDepth: 4 }), almost), async (body) => {
          const answer = await send(operation, JSON.stringify(body))
          expect([operation.id, operation.statuses.includes(answer.status), answer.status < 500, brief(answer)]).toEqual([
            operation.id,
            true,
            true,
            brief(answer),
          ])
          if (answer.status >= 400) expect([isProblem(answer), answer.text]).toEqual([true, answer.text])
        }),
        { numRuns: 60, interruptAfterTimeLimit: 4_000 },
      )
    }
  }, 300_000)

  it('bytes at all: never 5xx', async () => {
    const operation = withBody().find(({ id }) => id === 'POST /v1/orders')
    if (!operation) throw new Error('no orders')
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const answer = await fetch(`${baseUrl()}${operation.path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${things.all}`, 'content-type': 'application/json', 'idempotency-key': newKey() },
          body: bytes as Uint8Array<ArrayBuffer>,
        })
        expect([answer.status, answer.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
      }),
      { numRuns: 100 },
    )
  })

  it('and the server goes on: every example is answered as documented, a change with its token, ETag and Location', async () => {
    const complaints: string[] = []
    for (const operation of operations) {
      for (const body of example(operation).bodies ?? [undefined]) {
        const answer = await send(operation, body, {}, example(operation).query)
        const refusals = example(operation).absent ? [404] : [401, 409, 422]
        const fine = operation.statuses.includes(answer.status) && (answer.status < 300 || refusals.includes(answer.status))
        if (!fine || (example(operation).repeatable && answer.status >= 300)) complaints.push(`${operation.id}: ${brief(answer)}`)
        for (const name of missingHeaders(operation, answer)) complaints.push(`${operation.id}: ${answer.status} without ${name}`)
      }
    }
    expect(complaints).toEqual([])
  })
})
