import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { auditStream } from '#event-store'
import { createService, type ServiceParts } from '#service'
import { invariants } from './invariants.js'
import { alertType } from './alerts/alert-stream.js'
import type { FraudConfig } from './fraud.config.js'
import { FraudModule } from './fraud.module.js'
import { publish } from './publish.js'

/** The fraud app as a Nest application that does not listen. */
export const createFraudApp = (config: FraudConfig, parts: ServiceParts = {}): Promise<NestFastifyApplication> =>
  createService(
    {
      name: 'fraud',
      description: 'Fraud: scores, and the review queue.',
      config,
      invariants,
      types: [alertType, auditStream],
      publish,
      module: (context) => FraudModule.with(config, context),
    },
    parts,
  )
