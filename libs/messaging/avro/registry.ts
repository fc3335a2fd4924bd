import { boundedText } from '#kernel'
import { DependencyUnavailable } from '../failure.js'

export interface RegistryOptions {
  /** `https://user:password@host:port`; the user, where there is one, is told by HTTP's basic scheme. */
  readonly url: string
  /** Of each request; 5 s. */
  readonly timeout_ms?: number
}

export interface FoundSchema {
  readonly schema: string
  /** `AVRO` unless given. */
  readonly schemaType?: string
}

const UNKNOWN_SCHEMA = 40_403
/** Far more than a schema takes. */
const MOST_BYTES = 1_024 * 1_024
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json'

/**
 * The part of the schema registry API that is asked for (https://docs.confluent.io/platform/current/schema-registry/develop/api.html), as
 * Confluent's, Karapace, Apicurio and Redpanda have it. All that is not an answer rejects with `DependencyUnavailable`: what the registry refuses
 * now it may take once somebody has put it right, and no message is at fault.
 */
export class SchemaRegistry {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(private readonly options: RegistryOptions) {
    const { username, password, origin, pathname } = new URL(options.url)
    this.#url = `${origin}${pathname.replace(/\/+$/, '')}`
    const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
    this.#headers = { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE, ...(username && { authorization: `Basic ${user}` }) }
  }

  /** Answers the schema's id, the same each time. Whoever registers to the subject afterwards is held to FULL_TRANSITIVE. */
  async register(subject: string, schema: object): Promise<number> {
    const name = encodeURIComponent(subject)
    await this.#expect('PUT', `/config/${name}`, { compatibility: 'FULL_TRANSITIVE' })
    const { id } = (await this.#expect('POST', `/subjects/${name}/versions`, { schema: JSON.stringify(schema) })) as { id?: unknown }
    if (!Number.isInteger(id)) throw this.#away('gave no id', undefined)
    return Number(id)
  }

  /** Undefined: the registry knows no such schema. */
  async schema(id: number): Promise<FoundSchema | undefined> {
    const { status, body } = await this.#ask('GET', `/schemas/ids/${id}`)
    const { error_code, schema, schemaType } = body as { error_code?: unknown; schema?: unknown; schemaType?: unknown }
    if (status === 404 && error_code === UNKNOWN_SCHEMA) return undefined
    if (status !== 200 || typeof schema !== 'string') throw this.#away(`answered ${status} about schema ${id}`, undefined)
    return typeof schemaType === 'string' ? { schema, schemaType } : { schema }
  }

  async #expect(method: string, path: string, body: object): Promise<unknown> {
    const answer = await this.#ask(method, path, body)
    if (answer.status === 200) return answer.body
    const { error_code = '' } = answer.body as { error_code?: unknown }
    throw this.#away(`answered ${answer.status} ${String(error_code)} to ${method} ${path}`, undefined)
  }

  async #ask(method: string, path: string, body?: object): Promise<{ status: number; body: object }> {
    try {
      const response = await fetch(`${this.#url}${path}`, {
        method,
        headers: this.#headers,
        signal: AbortSignal.timeout(this.options.timeout_ms ?? 5_000),
        ...(body && { body: JSON.stringify(body) }),
      })
      const text = await boundedText(response.body, MOST_BYTES)
      return { status: response.status, body: (JSON.parse(text || '{}') as object | null) ?? {} }
    } catch (error) {
      throw this.#away('did not answer', error)
    }
  }

  #away(what: string, cause: unknown): DependencyUnavailable {
    return new DependencyUnavailable(`the schema registry at ${this.#url} ${what}`, { cause })
  }
}
