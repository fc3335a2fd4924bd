import { Command, InvalidArgumentError } from 'commander'
import { CATALOGUE, type DemoProduct } from './catalogue.js'
import { Client, inParallel } from './client.js'
import { makeCustomers } from './customers.js'
import { checkInvariants } from './invariants.js'
import { PLANS, runOrders } from './orders.js'
import { showProgress } from './progress.js'
import { makeReport, printReport, type Report } from './report.js'

const between =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < least || value > most) throw new InvalidArgumentError(`a whole number from ${least} to ${most}`)
    return value
  }

const options = new Command('npm run demo --')
  .description(
    'Drives a running platform from outside, by HTTP only: a catalogue, customers with wallets, orders that end in every way; then checks that the books add up.',
  )
  .option('--url <url>', 'where the platform answers', process.env['BAHI_URL'] || `http://localhost:${process.env['PORT'] || '3000'}`)
  .option('--orders <number>', 'how many orders', between(PLANS.length, 100_000), 500)
  .option('--customers <number>', 'how many customers', between(10, 1_000), 50)
  .option('--width <number>', 'how many calls at a time', between(1, 256), 16)
  .option('--seed <number>', 'which products are bought', between(0, 2 ** 31), 1)
  .option('--json', 'print the report as JSON')
  .parse()
  .opts<{ url: string; orders: number; customers: number; width: number; seed: number; json?: true }>()

const STOCK_PER_PRODUCT = 10_000
const RUN_ID = `demo-${Date.now().toString(36)}`

const progress = (name: string, total: number) =>
  showProgress(name, total, options.json ? 'none' : process.stdout.isTTY ? 'bar' : 'lines', console.log)

const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
}

/** Where nothing listens the answer is there at once; one who is busy is waited for. */
const REACHABLE_MS = 30_000

const stockCatalogue = async (client: Client, scarce: DemoProduct): Promise<ReadonlyMap<string, number>> => {
  const merchant = await client.token(`${RUN_ID}-merchant`, 'merchant')
  const before = new Map<string, number>()
  const bar = progress('catalogue', CATALOGUE.length + 1)
  await inParallel([...CATALOGUE, scarce], options.width, async ({ sku, ...product }) => {
    await client.expect([200, 201], 'PUT', `/v1/products/${sku}`, { token: merchant, body: product })
    const received = sku === scarce.sku ? 0 : STOCK_PER_PRODUCT
    if (received > 0) {
      const stock = await client.expect<{ available: number }>([200], 'POST', `/v1/products/${sku}/stock`, {
        token: merchant,
        key: `${RUN_ID}-stock-${sku}`,
        body: { received },
      })
      before.set(sku, stock.body.available)
    }
    bar.tick()
  })
  bar.done()
  return before
}

const demo = async (): Promise<Report> => {
  const client = new Client(options.url.replace(/\/$/, ''))
  const reachable = await fetch(`${client.baseUrl}/health/live`, { signal: AbortSignal.timeout(REACHABLE_MS) }).catch(() => undefined)
  if (!reachable?.ok)
    throw new Error(`nothing answers at ${client.baseUrl}: start the platform with \`npm start\`, or say where it is with --url`)

  const dear = CATALOGUE.find(({ price }) => BigInt(price.amount) > 4_500_000n && BigInt(price.amount) < 4_900_000n)
  const [pattern] = CATALOGUE
  if (!dear || !pattern) throw new Error('the catalogue has no product dear enough')
  const scarce: DemoProduct = { ...pattern, sku: `${RUN_ID.toUpperCase()}-SCARCE`, title: 'Sold out · बिक चुका' }

  const availableBefore = await stockCatalogue(client, scarce)
  const customerBar = progress('customers', options.customers)
  const customers = await makeCustomers(client, options.customers, RUN_ID, options.width, customerBar.tick)
  customerBar.done()

  const orderBar = progress('orders', options.orders)
  const began = performance.now()
  const results = await runOrders({
    client,
    customers,
    products: CATALOGUE,
    scarce,
    dear,
    count: options.orders,
    width: options.width,
    runId: RUN_ID,
    riskToken: await client.token(`${RUN_ID}-risk`, 'risk'),
    random: seeded(options.seed),
    onEnd: orderBar.tick,
  })
  const seconds = (performance.now() - began) / 1_000
  orderBar.done()
  const invariants = await checkInvariants({
    client,
    runId: RUN_ID,
    customers,
    products: CATALOGUE,
    availableBefore,
    results,
    width: options.width,
  })
  return makeReport(results, invariants, seconds, client.throttled)
}

try {
  const report = await demo()
  console.log(options.json ? JSON.stringify(report, null, 2) : `\n${printReport(report)}`)
  process.exit(report.ok ? 0 : 1)
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
