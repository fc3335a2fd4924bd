import { Command } from 'commander'
import { BACKLOG, readConfig } from '#platform'
import { createFront } from './front.js'
import { appSources } from './app-sources.js'
import { frontConfig } from './front.config.js'

/** Under Kubernetes' 30 s. */
const DRAIN_LIMIT_MS = 10_000

/**
 * What belongs to no app alone (documents, health and metrics of the whole, 404), as a process of its own beside the apps: the gateway sends
 * it every call that the routing table gives to nobody.
 */
const start = async (): Promise<void> => {
  const config = readConfig(frontConfig)
  const front = await createFront(
    appSources({
      'order-command': config.ORDER_COMMAND_URL,
      'order-query': config.ORDER_QUERY_URL,
      wallet: config.WALLET_URL,
      'payment-saga': config.PAYMENT_SAGA_URL,
      fraud: config.FRAUD_URL,
    }),
  )
  const stop = (): void => {
    setTimeout(() => process.exit(1), DRAIN_LIMIT_MS).unref()
    front.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  const address = await front.listen({ port: config.PORT, host: '0.0.0.0', backlog: BACKLOG })
  process.stdout.write(`front listens on ${address}\n`)
}

await new Command('front')
  .description('Documents, health and metrics of all apps together.')
  .addCommand(new Command('start').description('serve until SIGTERM (the default)').action(start), { isDefault: true })
  .parseAsync()
