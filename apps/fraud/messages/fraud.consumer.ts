import { FRAUD_COMMANDS, ORDERS_EVENTS, PAYMENTS_EVENTS } from '#contracts'
import type { IncomingMessage } from '#kernel'
import type { Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { Controller, Inject } from '@nestjs/common'
import { OrderOutcomes } from '../scoring/order-outcomes.js'
import { ScoreTransactions } from '../scoring/score-transactions.js'

@Controller()
export class FraudConsumer {
  constructor(
    @Inject(ScoreTransactions) private readonly scoring: ScoreTransactions,
    @Inject(OrderOutcomes) private readonly outcomes: OrderOutcomes,
  ) {}

  @BatchPattern(FRAUD_COMMANDS)
  onCommands(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.scoring.handle(messages)
  }

  @BatchPattern(ORDERS_EVENTS)
  onOrders(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.outcomes.handle(messages)
  }

  @BatchPattern(PAYMENTS_EVENTS)
  onPayments(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.outcomes.handle(messages)
  }
}
