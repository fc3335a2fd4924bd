import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A span as OTLP/HTTP has it in JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export interface CollectedSpan {
  readonly app: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first of a trace. */
  readonly parentSpanId: string
  readonly name: string
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly attributes: Readonly<Record<string, string>>
  readonly failed: boolean
}

type Value = {
  readonly stringValue?: string
  readonly intValue?: string | number
  readonly boolValue?: boolean
  readonly doubleValue?: number
}
type Attributes = readonly { readonly key: string; readonly value: Value }[]
type WireSpan = Omit<CollectedSpan, 'app' | 'attributes' | 'failed' | 'links' | 'parentSpanId'> & {
  readonly parentSpanId?: string
  readonly attributes?: Attributes
  readonly links?: CollectedSpan['links']
  readonly status?: { readonly code?: number }
}
interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes }
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[]
  }[]
}

const record = (attributes: Attributes): Record<string, string> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, String(value.stringValue ?? value.intValue ?? value.boolValue ?? value.doubleValue ?? '')]),
  )

/** An OpenTelemetry collector that keeps what it is sent. */
export class Collector {
  readonly spans: CollectedSpan[] = []
  /** Every byte that came, for a search through all of it. */
  readonly bodies: string[] = []
  readonly #server: Server

  constructor() {
    this.#server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => (body += chunk))
      request.on('end', () => {
        this.#take(body)
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      })
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  ofTrace(traceId: string): readonly CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId)
  }

  #take(body: string): void {
    this.bodies.push(body)
    for (const { resource, scopeSpans } of (JSON.parse(body) as Request).resourceSpans) {
      const app = record(resource.attributes)['service.name'] ?? ''
      for (const { spans } of scopeSpans) {
        for (const { traceId, spanId, parentSpanId = '', name, links = [], attributes = [], status } of spans) {
          this.spans.push({ app, traceId, spanId, parentSpanId, name, links, attributes: record(attributes), failed: status?.code === 2 })
        }
      }
    }
  }
}
