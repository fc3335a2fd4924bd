import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import avro from 'avsc'

/** What tests see of a registry. */
export interface TestSchemaRegistry {
  readonly url: string
  /** While true, every request is answered 503. */
  down: boolean
  /** Whoever asks must say so, by HTTP's basic scheme. */
  user: string | undefined
  /** `GET /schemas/ids/1`, in order. */
  readonly asked: readonly string[]
  /** By subject. */
  readonly subjects: ReadonlyMap<string, readonly Registered[]>
  /** Takes it in as the next version, without asking whether it fits the others. Answers its id. */
  force(subject: string, schema: string, schemaType?: string): number
  close(): Promise<void>
}

interface Registered {
  readonly id: number
  readonly schema: string
  readonly schemaType: string | undefined
}

interface Answer {
  readonly status: number
  readonly body: object
}

const refusal = (status: number, error_code: number, message: string): Answer => ({ status, body: { error_code, message } })

/**
 * A schema registry in memory, with the part of the documented API that producers and consumers use: subjects, versions, ids, and the compatibility
 * of a subject, of which it knows NONE and FULL_TRANSITIVE. https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export const startSchemaRegistry = async (): Promise<TestSchemaRegistry> => {
  const subjects = new Map<string, Registered[]>()
  const strict = new Set<string>()
  const asked: string[] = []

  const byId = (id: number): Registered | undefined => [...subjects.values()].flat().find((each) => each.id === id)
  const take = (subject: string, schema: string, schemaType?: string): number => {
    // The same schema has one id, whatever subjects it is registered to.
    const same = [...subjects.values()].flat().find((each) => each.schema === schema)
    const id = same?.id ?? new Set([...subjects.values()].flat().map((each) => each.id)).size + 1
    subjects.set(subject, [...(subjects.get(subject) ?? []), { id, schema, schemaType }])
    return id
  }

  const register = (subject: string, schema: string): Answer => {
    let type: avro.Type
    try {
      type = parsed(schema)
    } catch {
      return refusal(422, 42_201, 'Invalid schema')
    }
    const versions = subjects.get(subject) ?? []
    const known = versions.find((each) => each.schema === schema)
    if (known) return { status: 200, body: { id: known.id } }
    if (strict.has(subject) && !versions.every((each) => areCompatible(parsed(each.schema), type)))
      return refusal(409, 409, 'Schema being registered is incompatible with an earlier schema')
    return { status: 200, body: { id: take(subject, schema) } }
  }

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const { method = '', url = '', headers } = request
    asked.push(`${method} ${url}`)
    if (registry.down) return refusal(503, 50_003, 'away')
    if (registry.user !== undefined && headers.authorization !== `Basic ${Buffer.from(registry.user).toString('base64')}`)
      return refusal(401, 40_101, 'User cannot access the resource')
    const [kind, name = '', more = ''] = url.slice(1).split('/').map(decodeURIComponent)
    if (method === 'GET' && kind === 'schemas' && name === 'ids') {
      const found = byId(Number(more))
      if (!found) return refusal(404, 40_403, `Schema ${more} not found`)
      return { status: 200, body: { schema: found.schema, ...(found.schemaType && { schemaType: found.schemaType }) } }
    }
    const body = JSON.parse(await textOf(request)) as { schema?: string; compatibility?: string }
    if (method === 'PUT' && kind === 'config') {
      if (body.compatibility !== 'FULL_TRANSITIVE' && body.compatibility !== 'NONE')
        return refusal(422, 42_203, 'Invalid compatibility level')
      if (body.compatibility === 'NONE') strict.delete(name)
      else strict.add(name)
      return { status: 200, body }
    }
    if (method === 'POST' && kind === 'subjects' && more === 'versions') return register(name, body.schema ?? '')
    return refusal(404, 404, 'HTTP 404 Not Found')
  }

  const server = createServer((request, response) => {
    void answer(request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const registry: TestSchemaRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    down: false,
    user: undefined,
    asked,
    subjects,
    force: take,
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
  return registry
}

const parsed = (schema: string): avro.Type => avro.Type.forSchema(JSON.parse(schema) as avro.Schema)

/** Each reads what the other wrote. */
const areCompatible = (one: avro.Type, other: avro.Type): boolean => {
  try {
    one.createResolver(other)
    other.createResolver(one)
    return true
  } catch {
    return false
  }
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
