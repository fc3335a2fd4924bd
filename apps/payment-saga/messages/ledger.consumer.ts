import { PAYMENTS_EVENTS } from '#contracts'
import type { IncomingMessage } from '#kernel'
import type { Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { Controller, Inject } from '@nestjs/common'
import { Ledger } from '../ledger/ledger.js'

/** The books follow what the sagas publish, as everybody else does: each change is posted once, with the place in the log. */
@Controller()
export class LedgerConsumer {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @BatchPattern(PAYMENTS_EVENTS)
  onPayments(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.ledger.handle(messages)
  }
}
