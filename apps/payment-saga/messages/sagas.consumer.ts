import { FRAUD_EVENTS, ORDERS_EVENTS, REPLIES, WALLET_EVENTS } from '#contracts'
import type { IncomingMessage } from '#kernel'
import type { Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { SagaInbox } from '#saga'
import { Controller, Inject } from '@nestjs/common'

/** All that the sagas hear of the other apps. */
@Controller()
export class SagasConsumer {
  constructor(@Inject(SagaInbox) private readonly inbox: SagaInbox) {}

  @BatchPattern(ORDERS_EVENTS)
  onOrders(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.inbox.handle(messages)
  }

  @BatchPattern(FRAUD_EVENTS)
  onFraud(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.inbox.handle(messages)
  }

  @BatchPattern(WALLET_EVENTS)
  onWallets(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.inbox.handle(messages)
  }

  @BatchPattern(REPLIES)
  onReplies(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.inbox.handle(messages)
  }
}
