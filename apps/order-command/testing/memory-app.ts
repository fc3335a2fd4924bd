import { memoryEventStore, memorySubjectKeys } from '#event-store/testing'
import { systemIds, ZERO } from '#kernel'
import { FakeClock, memoryTransactions } from '#kernel/testing'
import { GST_RATES } from '#order'
import { COD_ROWS, PAYMENT_PLANS } from '#payment'
import { createApp, HttpCommands } from '#platform'
import { testTokens } from '#platform/testing'
import { OrderCommandModule, type OrderCommandParts } from '../order-command.module.js'
import { publish } from '../publish.js'
import type { Rules } from '../rules.js'
import { streamTypes } from '../streams.js'

export const rules: Rules = {
  sellerState: 'KA',
  shipping: ZERO,
  gstRates: GST_RATES,
  cod: COD_ROWS,
  plans: PAYMENT_PLANS,
  fraudHashKey: 'f'.repeat(32),
}

/** The ports in memory, on a clock that stands. */
export const memoryParts = (now_ms = Date.UTC(2026, 10, 1)) => {
  const clock = new FakeClock(now_ms)
  const store = memoryEventStore({ types: streamTypes, publish, clock, app: 'order-command' })
  const subjectKeys = memorySubjectKeys()
  const parts = { store, subjectKeys, rules, clock, ids: systemIds } satisfies OrderCommandParts
  return { ...parts, http: new HttpCommands(store, clock), transactions: memoryTransactions() }
}

/** The app without database and log: its HTTP answers, and nothing is consumed or published. */
export const memoryApp = async () => {
  const tokens = await testTokens()
  const { store, subjectKeys, ids } = memoryParts()
  // Tokens are checked against the real time.
  const clock = new FakeClock(Date.now())
  const app = await createApp(OrderCommandModule.with({ store, subjectKeys, rules, clock, ids }), {
    name: 'order-command',
    config: {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      RATE_LIMIT_PER_SECOND: 1_000_000,
      RATE_LIMIT_BURST: 1_000_000,
      ...tokens.config,
    },
    keys: tokens.keys,
  })
  await app.init()
  await app.getHttpAdapter().getInstance().ready()
  return { app, tokens }
}
