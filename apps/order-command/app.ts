import { paise } from '#kernel'
import { codRowsOf, paymentPlansOf } from '#payment-http'
import { DevIssuerModule, pgIssuerKeys } from '#platform'
import { createService, openSubjectKeys, type ServiceParts } from '#service'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { invariants } from './invariants.js'
import { gstRateRows, shippingFee, type OrderCommandConfig } from './order-command.config.js'
import { OrderCommandModule } from './order-command.module.js'
import { publish } from './publish.js'
import type { Rules } from './rules.js'
import { streamTypes } from './streams.js'
import { VisibilityProbe } from './visibility-probe.js'

export const rulesOf = (config: OrderCommandConfig): Rules => ({
  sellerState: config.SELLER_STATE,
  shipping: paise(shippingFee(config)),
  gstRates: gstRateRows(config),
  cod: codRowsOf(config),
  plans: paymentPlansOf(config),
  fraudHashKey: config.FRAUD_HASH_KEY,
})

/** Orders, catalogue and stock, the write side, as a Nest application that does not listen. */
export const createOrderCommandApp = (config: OrderCommandConfig, parts: ServiceParts = {}): Promise<NestFastifyApplication> =>
  createService(
    {
      name: 'order-command',
      description: 'Orders, catalogue and stock: what changes them.',
      config,
      invariants,
      types: streamTypes,
      publish,
      module: ({ pool, store, clock, ids, lifecycle, report }) => {
        lifecycle.works(new VisibilityProbe({ store, clock, ids, onError: report }))
        const rules = rulesOf(config)
        const subjectKeys = openSubjectKeys('order-command', config, { clock, lifecycle })
        const imports = [DevIssuerModule.register(config, pgIssuerKeys(pool), clock)]
        return OrderCommandModule.with({ store, subjectKeys, rules, clock, ids, imports })
      },
    },
    parts,
  )
