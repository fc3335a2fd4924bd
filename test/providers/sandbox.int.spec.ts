import 'reflect-metadata'
import { systemClock } from '#kernel'
import { createTestDatabase } from '#postgres/testing'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Bulkhead } from '../../apps/payment-saga/provider/bulkhead.js'
import { ProviderHttp } from '../../apps/payment-saga/provider/http.js'
import { SandboxProvider } from '../../apps/payment-saga/provider/sandbox/provider.js'
import { sandboxWebhooks } from '../../apps/payment-saga/provider/sandbox/webhooks.js'
import { FaultyNetwork } from '../../apps/payment-saga/testing/faulty-network.js'
import { providerConformance } from '../../apps/payment-saga/testing/provider-conformance.js'
import { createProviderSandboxApp } from '../../apps/provider-sandbox/app.js'
import { migrations } from '../../apps/provider-sandbox/migrations.js'

const API_KEY = 'sandbox-api-key-for-tests'
const SECRET = 'sandbox-webhook-secret-for-tests'

/** The adapter against the sandbox itself, on PostgreSQL. */
providerConformance('the sandbox', async () => {
  const database = await createTestDatabase(migrations)
  const heard: { readonly body: string; readonly signature: string }[] = []
  const merchant = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      heard.push({ body, signature: String(request.headers['x-sandbox-signature']) })
      response.writeHead(204).end()
    })
  })
  merchant.listen(0, '127.0.0.1')
  await once(merchant, 'listening')
  const address = merchant.address()
  const app = await createProviderSandboxApp({
    PORT: 0,
    DATABASE_URL: database.url,
    DATABASE_SCHEMA: database.schema,
    PROVIDER_API_KEY: API_KEY,
    WEBHOOK_URL: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/hook`,
    PROVIDER_WEBHOOK_SECRET: SECRET,
    UPI_WINDOW_SECONDS: 300,
    PUBLIC_URL: 'http://bank.test',
    PATH_PREFIX: '',
    SANDBOX_SEED: 7,
    WEBHOOK_DUPLICATE_RATE: 0.1,
    WEBHOOK_OUT_OF_ORDER_RATE: 0,
    LOST_WEBHOOK_DELAY_SECONDS: 0,
    HANG_MS: 10,
  })
  await app.listen(0, '127.0.0.1')
  const network = new FaultyNetwork()
  const http = new ProviderHttp({
    url: await app.getUrl(),
    headers: { 'x-api-key': API_KEY },
    clock: systemClock,
    timeout_ms: { authorise: 10_000, find: 10_000, change: 10_000, report: 10_000 },
    bulkhead: new Bulkhead(20),
    fetch: network.fetch,
  })
  return {
    provider: new SandboxProvider(http),
    webhooks: sandboxWebhooks(SECRET),
    network,
    instruments: {
      paid: { method: 'upi', instrument: 'success@upi', flow: 'collect' },
      held: { method: 'card', instrument: 'tok_success' },
      declined: { method: 'netbanking', instrument: 'SBOX_DECLINE' },
      asked: { method: 'netbanking', instrument: 'SBOX_REDIRECT' },
    },
    heard: () => heard,
    // It gives up what is held when it is told to.
    lapse: () => undefined,
    close: async () => {
      await app.close()
      merchant.closeAllConnections()
      merchant.close()
      await database.drop()
    },
  }
})
