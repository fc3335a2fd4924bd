import { systemClock, paise, type Clock } from '#kernel'
import { isProviderMethod, type PaymentMethod, type ProviderAnswer } from '#payment'
import { createServer, type IncomingMessage as Request } from 'node:http'
import { once } from 'node:events'
import { BooksOfProvider, NOT_ASKED, type Luck } from './books.js'

export interface StubProvider {
  readonly url: string
  /** Requests so far: `POST /v1/payments`. */
  readonly requests: readonly string[]
  /** Its settlement files by day, as CSV. */
  readonly settlements: Map<string, string>
  payment(key: string): BooksOfProvider | undefined
  /** What is asked for is done and not answered until it is let go; questions are. */
  hold(): () => void
  close(): Promise<void>
}

/** The sandbox's HTTP contract over books in memory: `decline@upi` and `tok_decline` are declined, and so on. */
export const startStubProvider = async (window_ms: number, clock: Clock = systemClock): Promise<StubProvider> => {
  const books = new Map<string, BooksOfProvider>()
  const requests: string[] = []
  const settlements = new Map<string, string>()
  let held = Promise.resolve()
  const answer = async (request: Request): Promise<ProviderAnswer> => {
    const url = new URL(request.url ?? '/', 'http://stub')
    requests.push(`${request.method} ${url.pathname}`)
    if (request.method === 'GET')
      return books.get(url.searchParams.get('idempotencyKey') ?? '')?.find(url.searchParams.get('idempotencyKey') ?? '') ?? absent
    const body = await json(request)
    const [, , , id, operation] = decodeURIComponent(url.pathname).split('/')
    const key = body('idempotencyKey')
    if (id === undefined) {
      const found = books.get(key) ?? new BooksOfProvider(() => clock, luckOf(body('instrument')), window_ms)
      books.set(key, found)
      return found.authorise(key, {
        orderId: body('orderId'),
        amount: paise(body('amount')),
        method: methodOf(body('method')),
        instrument: '',
      })
    }
    const found = [...books.values()].find(({ payment }) => payment?.paymentId === id)
    if (!found) return absent
    if (operation === 'capture') return found.capture(key, id, paise(body('amount')))
    return operation === 'void' ? found.void(key) : found.refund(key, id, paise(body('amount')))
  }
  const server = createServer((request, response) => {
    const file = settlements.get(/^\/v1\/settlements\/(.+)$/.exec(request.url ?? '')?.[1] ?? '')
    if (file !== undefined) return void response.writeHead(200, { 'content-type': 'text/csv' }).end(file)
    void answer(request).then(async (told) => {
      if (request.method === 'POST') await held
      if (told.known === 'unknown') return void response.destroy()
      const [status, body] = wire(told)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    requests,
    settlements,
    payment: (key) => books.get(key),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const absent: ProviderAnswer = { known: 'absent' }

const luckOf = (instrument: string): Luck => NOT_ASKED.find((luck) => instrument.toLowerCase().includes(luck)) ?? 'decline'

const methodOf = (method: string) => {
  const known = (['upi', 'card', 'netbanking'] as const satisfies readonly PaymentMethod[]).find((each) => each === method)
  if (!known || !isProviderMethod(known)) throw new Error(`no method ${method}`)
  return known
}

const json = async (request: Request): Promise<(name: string) => string> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString())
  return (name) => String(typeof body === 'object' && body !== null ? Reflect.get(body, name) : '')
}

const wire = (told: Exclude<ProviderAnswer, { known: 'unknown' }>): [number, object] => {
  if (told.known === 'absent') return [404, { type: '/problems/unknown-payment', status: 404 }]
  if (told.known === 'refused') return [409, { type: `/problems/${told.slug}`, status: 409, detail: told.detail }]
  const { amount, captured, refunded, paidAt, ...rest } = told.payment
  const paid = paidAt === undefined ? {} : { paidAt: new Date(paidAt).toISOString() }
  return [201, { ...rest, ...paid, amount: amount.toString(), captured: captured.toString(), refunded: refunded.toString() }]
}
