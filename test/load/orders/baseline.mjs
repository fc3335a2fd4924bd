// The baseline: stock Fastify, and one INSERT of the order that was sent per request, committed before the answer. It checks no token and no
// field, prices nothing, and nothing follows from the order.
import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.argv[2], max: 10 })
await pool.query(
  'CREATE TABLE IF NOT EXISTS orders (id uuid PRIMARY KEY, body jsonb NOT NULL, placed_at timestamptz NOT NULL DEFAULT now())',
)
const app = Fastify()
app.post('/v1/orders', async (request, reply) => {
  const orderId = randomUUID()
  await pool.query({ name: 'insert', text: 'INSERT INTO orders (id, body) VALUES ($1, $2)', values: [orderId, request.body] })
  reply.code(201)
  return { orderId, status: 'PLACED' }
})
console.log(await app.listen({ port: 0, host: '127.0.0.1' }))
process.on('SIGTERM', () => void app.close().then(() => pool.end()))
