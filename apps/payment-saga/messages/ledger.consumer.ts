import { PAYMENTS_EVENTS } from '#contracts'
import type { IncomingMessage } from '#kernel'
import { TURNAROUND_ROWS } from '#payment'
import { noEffect, type Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { Controller, Inject } from '@nestjs/common'
import { Ledger } from '../ledger/ledger.js'
import { watchTurnarounds } from '../ledger/turnarounds.js'
import { bookProviderMovements } from '../reconciliation/provider-movements.js'

/** The books follow what the sagas publish, as everybody else does: each change is posted once, with the place in the log. */
@Controller()
export class LedgerConsumer {
  readonly #watch = watchTurnarounds(TURNAROUND_ROWS)

  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @BatchPattern(PAYMENTS_EVENTS)
  async onPayments(messages: readonly IncomingMessage[]): Promise<Effect> {
    const effects = await Promise.all([this.ledger.handle(messages), bookProviderMovements(messages), this.#watch(messages)])
    if (effects.every((effect) => effect === noEffect)) return noEffect
    return async (tx) => {
      for (const effect of effects) await effect(tx)
    }
  }
}
