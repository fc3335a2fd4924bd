import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { logRecords, type LogRecord } from './otlp.js'

/** It takes everything; or it starts, or has no room, and refuses what comes. */
export type Mood = 'well' | 'starting' | 'no-room'

const REFUSALS = { starting: 503, 'no-room': 429 } as const
const PATH = '/v1/logs'

/**
 * What takes logs by OTLP over HTTP, in protobuf, as OpenSearch's Data Prepper does before it puts them into an index, and keeps them in memory:
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp. Whoever sends must say `authorization`.
 */
export class Sink {
  /** What was taken, by the pod's uid, in order. */
  readonly taken = new Map<unknown, LogRecord[]>()
  /** Bytes of the largest request. */
  largest = 0
  mood: Mood = 'well'
  /** Requests that were refused by its mood. */
  refused = 0
  readonly authorization = `Basic ${Buffer.from('logs:only-for-this-test').toString('base64')}`
  #server: Server
  #port = 0

  constructor() {
    this.#server = this.#make()
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Nothing listens any more; `open` listens at the same address again. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = this.#make()
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}${PATH}`
  }

  #make(): Server {
    return createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () =>
        response.writeHead(this.#answer(request, Buffer.concat(chunks)), { 'content-type': 'application/x-protobuf' }).end(),
      )
    })
  }

  /** The status; an empty body is the message that all was taken. */
  #answer({ method, url, headers }: IncomingMessage, bytes: Buffer): number {
    if (method !== 'POST' || url !== PATH) return 404
    if (headers.authorization !== this.authorization) return 401
    if (headers['content-type'] !== 'application/x-protobuf') return 415
    if (this.mood !== 'well') {
      this.refused++
      return REFUSALS[this.mood]
    }
    const message = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
    this.largest = Math.max(this.largest, message.length)
    for (const record of logRecords(message)) {
      const uid = record.resource['k8s.pod.uid']
      const records = this.taken.get(uid)
      if (records) records.push(record)
      else this.taken.set(uid, [record])
    }
    return 200
  }
}
