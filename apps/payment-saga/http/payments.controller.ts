import type { Events } from '#event-store'
import type { Clock, JsonObject } from '#kernel'
import { Caller, ConsistencyTokenHeader, notFound, Roles, waitUntilConsistent, type CallerIdentity, type ConsistencyToken } from '#platform'
import { sagaIdFor, sagaRef } from '#saga'
import { Controller, Get, Inject, Param } from '@nestjs/common'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { paymentView } from '../saga-view.js'
import { orderPaymentOf, type OrderPayment } from '../sagas/payment-data.js'
import { ORDER_PAYMENT } from '../sagas/saga-types.js'
import { CLOCK, STORE } from '../tokens.js'
import { PaymentAnswer } from './answers.js'

@Controller('v1/orders/:id/payment')
@ApiTags('payments')
export class PaymentsController {
  constructor(
    @Inject(STORE) private readonly events: Pick<Events, 'load'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** How an order is being paid. With the order's Consistency-Token it waits for the saga to begin. */
  @Get()
  @Roles('customer', 'support', 'risk', 'auditor', 'admin')
  @ApiOkResponse({ type: PaymentAnswer })
  async read(
    @Param('id') orderId: string,
    @Caller() caller: CallerIdentity,
    @ConsistencyTokenHeader() token: ConsistencyToken | undefined,
  ): Promise<JsonObject> {
    const load = async () => (await this.events.load(sagaRef(sagaIdFor(ORDER_PAYMENT, orderId)))).state
    let state = await load()
    // A token that does not speak of this order says nothing about whether it exists.
    if (state.phase === 'new' && token && `order-${orderId}` in token.streams) {
      await waitUntilConsistent(async () => {
        state = await load()
        return state.phase !== 'new'
      }, this.clock)
    }
    const data = orderPaymentOf(state)
    if (!data || !mayRead(data, caller)) throw notFound('payment')
    return paymentView(state, data)
  }
}

const mayRead = ({ customerId }: OrderPayment, { sub, isStaff }: CallerIdentity): boolean => isStaff || customerId === sub
