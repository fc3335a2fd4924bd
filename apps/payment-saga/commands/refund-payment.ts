import { isRefusal, refuse, toMoneyJson, type Paise } from '#kernel'
import { sumOf } from '#payment'
import { HttpCommands, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { SagaEngine } from '#saga'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { REFUND_REQUESTED } from '../sagas/order-payment.js'
import { orderPaymentOf, requestRefund } from '../sagas/payment-data.js'

/** Gives back some of what an order's payment took: `amount`, or all that nobody gives back yet. */
export class RefundPayment extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly paymentId: string,
    readonly refundId: string,
    readonly amount: Paise | undefined,
    readonly reason: string,
    /** Milliseconds since the epoch. */
    readonly at: number,
  ) {
    super()
  }
}

/** Decided on the payment's own stream, so that refunds, a return and a cancellation at once never give back more than was taken. */
@CommandHandler(RefundPayment)
export class RefundPaymentHandler implements ICommandHandler<RefundPayment> {
  constructor(
    @Inject(SagaEngine) private readonly engine: SagaEngine,
    @Inject(HttpCommands) private readonly http: HttpCommands,
  ) {}

  execute({ request, paymentId, refundId, amount, reason, at: at_ms }: RefundPayment): Promise<RecordedAnswer> {
    const { commandId: id, context } = request
    const at = new Date(at_ms).toISOString()
    const body = { refundId, at, ...(amount === undefined ? {} : { amount: amount.toString() }) }
    const thought = this.engine.think({ kind: 'message', id, sagaId: paymentId, context, name: REFUND_REQUESTED, body })
    const { stream } = thought
    return this.http.execute(request, {
      streams: [stream],
      target: stream,
      status: 201,
      reason,
      decide: (states) =>
        thought.decide(states, (saga, _, react) => {
          const data = orderPaymentOf(saga)
          if (!data) throw notFound('payment')
          if (saga.phase !== 'completed') return refuse('invalid-transition', 'the payment is not complete', 'conflict')
          if (data.cancelled) return refuse('nothing-to-refund', 'the order was cancelled: all that was taken goes back')
          const parts = requestRefund(data, amount)
          if (isRefusal(parts)) return parts
          const reaction = react()
          if (reaction.disposition === 'refused') return refuse(reaction.slug, reaction.detail, 'conflict')
          const { events, messages } = reaction
          const answer = { refundId, paymentId, orderId: data.orderId, amount: { ...toMoneyJson(sumOf(parts)) }, status: 'PENDING', at }
          return { appends: [{ stream, events }], messages, body: answer, location: `/v1/payments/${paymentId}/refunds` }
        }),
      alongside: (tx) => thought.save(tx),
    })
  }
}
