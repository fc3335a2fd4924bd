// What a poison message does to the other keys: produced to handled through the PostgreSQL log at a steady rate, rounds with and without in turn.
//   npm run load -- messaging/poison [--poison 1] [--rate 500] [--seconds 5] [--rounds 9] [--json] [--help]
// It is one more key, whose first message fails in its effect each time that it is tried; others of the key wait behind.
import { parseArgs } from 'node:util'
import { createPool } from '#postgres'
import { conditionsOf } from '../event-store/measure.mjs'
import { startPostgres } from '../event-store/postgres.mjs'
import { openOurs } from './ours.mjs'
import { median, steady } from './steady.mjs'

const { values: options } = parseArgs({
  options: {
    poison: { type: 'string', default: '1' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(`Usage: npm run load -- messaging/poison [options]
  --poison <n>    poison messages in a round, each of a key of its own, spread over it (1)
  --rate <n>      messages of other keys a second, each sent alone (500)
  --seconds <n>   length of a round (5)
  --rounds <n>    rounds without and with, in turn (9)
  --json          print one JSON object`)
  process.exit(0)
}
const [poison, rate, seconds, rounds] = [options.poison, options.rate, options.seconds, options.rounds].map(Number)

const effect = async (client, payloads) => {
  await client.query({
    name: 'bench-effect',
    text: 'INSERT INTO effect (text) SELECT * FROM unnest($1::text[])',
    values: [payloads.map(({ text }) => String(text))],
  })
  if (payloads.some((payload) => payload.poison)) throw new TypeError('poison')
}

const server = await startPostgres()
const log = await openOurs(server.url, { shared: false })
const pool = createPool({ url: server.url, schema: 'app', applicationName: 'bench', maxConnections: 1 })
await pool.query('CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL)')
const withEffect = { ...log, consume: (onHandled) => log.consume(onHandled, { effect }) }
let ill = 0
/** One in so many messages is followed by a poison message, and that by one more of its key. */
const every = Math.floor((rate * seconds) / poison)
const poisoned = {
  ...withEffect,
  send(data) {
    if (data.n >= rate && (data.n - rate) % every === 0) {
      const key = `ill-${++ill}`
      for (const more of [{ poison: true }, {}]) void log.send({ ...data, ...more, key, apart: true })
    }
    return log.send(data)
  },
}
const measured = { without: [], with: [] }
/** The poison's own messages are not among those that are counted. */
const counting = (side) => ({
  ...side,
  consume: (onHandled) => side.consume((payloads) => onHandled(payloads.filter(({ apart }) => !apart))),
})
for (let round = 0; round < rounds; round++)
  for (const [name, side] of Object.entries({ without: withEffect, with: poisoned }))
    measured[name].push(await steady(counting(side), { rate, seconds }, (n) => ({ n })))
const { rows } = await pool.query('SELECT count(DISTINCT key)::int AS keys FROM deferred')
const figures = Object.fromEntries(
  Object.entries(measured).map(([name, all]) => [
    name,
    { p50_ms: median(all.map((each) => each.p50_ms)), p99_ms: median(all.map((each) => each.p99_ms)) },
  ]),
)
const result = {
  conditions: { ...(await conditionsOf(server.url)), poison, rate, seconds, rounds },
  ...figures,
  aside: rows[0].keys,
  ratio: figures.with.p99_ms / figures.without.p99_ms,
}
await pool.end()
await log.close()
await server.stop()
if (options.json) console.log(JSON.stringify(result))
else {
  const line = (name) => `${name}: p50 ${result[name].p50_ms.toFixed(1)} ms, p99 ${result[name].p99_ms.toFixed(1)} ms`
  console.log(
    Object.entries(result.conditions)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  )
  console.log(
    `${line('without')}\n${line('with')}\np99 of other keys, with to without: ${result.ratio.toFixed(2)}; ${result.aside} keys were put aside`,
  )
}
process.exit(0)
