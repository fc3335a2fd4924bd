import type { SealedTexts } from '#event-store'
import { isRefusal, type Clock } from '#kernel'
import { order } from '#order'
import { HttpCommands, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { orderResource, revealAddress } from '../http/order-resource.js'
import { CLOCK, SUBJECT_KEYS } from '../ports.js'
import { orderRef } from '../streams.js'

export class CancelOrder extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly orderId: string,
    /** What the person wrote. */
    readonly note: string | undefined,
  ) {
    super()
  }
}

/** Decided on the order at once; money and stock follow by saga. The merchant, who may not see the address, gets the order without it. */
@CommandHandler(CancelOrder)
export class CancelOrderHandler implements ICommandHandler<CancelOrder> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(SUBJECT_KEYS) private readonly subjectKeys: SealedTexts,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  execute({ request, orderId, note }: CancelOrder): Promise<RecordedAnswer> {
    const target = orderRef(orderId)
    const at = new Date(this.clock.now()).toISOString()
    return this.http.execute(request, {
      streams: [target],
      target,
      status: 200,
      correlationId: orderId,
      ...(note === undefined ? {} : { reason: note }),
      decide: (states) => {
        const { state, version } = states.of(target)
        if (state === null) throw notFound('order')
        const own = state.customerId === request.caller.sub
        const reason = own ? 'customer' : 'merchant'
        const events = order.decide({ type: 'cancel', reason, ...(note === undefined ? {} : { note }), at }, state)
        if (isRefusal(events)) return events
        const cancelled = events.reduce(order.evolve, state) ?? state
        const shippingAddress = own ? state.shippingAddress : undefined
        return {
          appends: [{ stream: target, events }],
          body: orderResource(orderId, version + events.length, cancelled, { shippingAddress, cancelledBy: request.caller.sub }),
        }
      },
      reveal: (body) => revealAddress(this.subjectKeys, body),
    })
  }
}
