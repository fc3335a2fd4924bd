import type { Events } from '#event-store'
import type { Clock, Ids, JsonObject } from '#kernel'
import {
  ConsistencyTokenHeader,
  HttpCommand,
  Idempotent,
  notFound,
  OwnedBy,
  paiseOf,
  Roles,
  type CommandRequest,
  type ConsistencyToken,
  type OwnershipResolver,
  type RecordedAnswer,
} from '#platform'
import { sagaRef } from '#saga'
import { Body, Controller, Get, Inject, Injectable, Param, Post } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiCreatedResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { RefundPayment } from '../commands/refund-payment.js'
import { refundsView } from '../saga-view.js'
import { orderPaymentOf } from '../sagas/payment-data.js'
import { CLOCK, IDS, STORE } from '../tokens.js'
import { RefundAnswer, RefundsAnswer } from './answers.js'
import { RefundDto } from './refunds.dto.js'

/** Any payment that is there is every merchant's. */
@Injectable()
export class AnyPayment implements OwnershipResolver {
  constructor(@Inject(STORE) private readonly events: Events) {}

  async owns(id: string): Promise<boolean> {
    return orderPaymentOf((await this.events.load(sagaRef(id))).state) !== undefined
  }
}

@Controller('v1/payments/:id/refunds')
@ApiTags('payments')
export class RefundsController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(STORE) private readonly events: Events,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(IDS) private readonly ids: Ids,
  ) {}

  /** Gives back `amount`, or all that is left. 422 `refund-too-large` or `nothing-to-refund` beyond what was taken and nobody gives back yet. */
  @Post()
  @Roles('merchant', 'support')
  @OwnedBy(AnyPayment)
  @Idempotent('required')
  @ApiCreatedResponse({ type: RefundAnswer })
  refund(
    @Param('id') paymentId: string,
    @Body() { amount, reason }: RefundDto,
    @HttpCommand() request: CommandRequest,
  ): Promise<RecordedAnswer> {
    const paise = amount && paiseOf(amount)
    return this.bus.execute(new RefundPayment(request, paymentId, this.ids.next(), paise, reason, this.clock.now()))
  }

  /** All of a payment's, a return's and a cancellation's too; a payment has at most 100. */
  @Get()
  @Roles('merchant', 'support', 'auditor', 'admin')
  @OwnedBy(AnyPayment)
  @ApiOkResponse({ type: RefundsAnswer })
  async list(
    @Param('id') paymentId: string,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<{ readonly items: readonly JsonObject[] }> {
    const data = orderPaymentOf((await this.events.load(sagaRef(paymentId))).state)
    if (!data) throw notFound('payment')
    return { items: refundsView(paymentId, data) }
  }
}
