// The baseline of the wallet over HTTP, a process of its own: stock Fastify, the body checked by its own schema, and one INSERT per request, committed
// before the answer. It knows no caller, no balance and no limit, a repeat has a second effect, and nobody hears of it.
import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.argv[2], max: Number(process.argv[3]) })
await pool.query(`CREATE TABLE transfers (id uuid PRIMARY KEY, from_wallet uuid NOT NULL, to_wallet uuid NOT NULL, amount bigint NOT NULL,
  reference text NOT NULL, at timestamptz NOT NULL DEFAULT now())`)
const money = {
  type: 'object',
  required: ['amount', 'currency'],
  additionalProperties: false,
  properties: { amount: { type: 'string', pattern: '^[1-9][0-9]{0,15}$' }, currency: { const: 'INR' } },
}
const body = {
  type: 'object',
  required: ['fromWalletId', 'toWalletId', 'amount', 'reference'],
  additionalProperties: false,
  properties: {
    fromWalletId: { type: 'string', format: 'uuid' },
    toWalletId: { type: 'string', format: 'uuid' },
    amount: money,
    reference: { type: 'string', minLength: 1, maxLength: 128 },
  },
}
const app = Fastify()
app.post('/v1/transfers', { schema: { body } }, async (request, reply) => {
  const { fromWalletId, toWalletId, amount, reference } = request.body
  const transferId = randomUUID()
  await pool.query({
    name: 'insert',
    text: 'INSERT INTO transfers (id, from_wallet, to_wallet, amount, reference) VALUES ($1, $2, $3, $4, $5)',
    values: [transferId, fromWalletId, toWalletId, amount.amount, reference],
  })
  reply.code(201)
  return { transferId, status: 'COMPLETED', fromWalletId, toWalletId, amount, reference }
})
console.log(`listens on ${await app.listen({ port: 0, host: '127.0.0.1' })}`)
process.on('SIGTERM', () => void app.close().then(() => pool.end()))
