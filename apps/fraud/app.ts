import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { createService, type ServiceParts } from '#service'
import { invariants } from './invariants.js'
import type { FraudConfig } from './fraud.config.js'
import { FraudModule } from './fraud.module.js'
import { publish } from './publish.js'
import { streamTypes } from './streams.js'

/** The fraud app as a Nest application that does not listen. */
export const createFraudApp = (config: FraudConfig, parts: ServiceParts = {}): Promise<NestFastifyApplication> =>
  createService(
    {
      name: 'fraud',
      description: 'Fraud: scores, and the review queue.',
      config,
      invariants,
      types: streamTypes,
      publish,
      module: (context) => FraudModule.with(config, context),
    },
    parts,
  )
