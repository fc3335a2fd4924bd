import { CancelOrder, ConfirmOrder, ORDERS_COMMANDS, StartReview } from '#contracts'
import type { Commands } from '#event-store'
import { isRefusal, type Clock, type IncomingMessage } from '#kernel'
import type { BatchHandler, Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { order, type OrderCommand } from '#order'
import { Controller, Inject } from '@nestjs/common'
import { CLOCK, EVENT_STORE } from '../ports.js'
import { orderRef } from '../streams.js'
import { answering, UnknownCommand, type Asked } from '#service'

/** The payment saga's word on an order. */
@Controller()
export class OrderCommandsConsumer {
  readonly #handle: BatchHandler

  constructor(
    @Inject(EVENT_STORE) store: Pick<Commands, 'executeAll'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#handle = answering(store, (message) => this.#asked(message))
  }

  @BatchPattern(ORDERS_COMMANDS)
  handle(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#handle(messages)
  }

  #asked({ type, topic, data }: IncomingMessage): Asked {
    const at = new Date(this.clock.now()).toISOString()
    switch (type) {
      case ConfirmOrder.type:
        return asked(ConfirmOrder.parse(data), { type: 'confirm', at })
      case StartReview.type:
        return asked(StartReview.parse(data), { type: 'startReview', at })
      case CancelOrder.type: {
        const command = CancelOrder.parse(data)
        return asked(command, { type: 'giveUp', reason: command.reason, at })
      }
      default:
        throw new UnknownCommand(type, topic)
    }
  }
}

const asked = ({ replyTo, orderId }: { readonly replyTo: string; readonly orderId: string }, command: OrderCommand): Asked => {
  const stream = orderRef(orderId)
  return {
    replyTo,
    streams: [stream],
    decide: (states) => {
      const events = order.decide(command, states.of(stream).state)
      return isRefusal(events) ? events : { appends: [{ stream, events }] }
    },
  }
}
