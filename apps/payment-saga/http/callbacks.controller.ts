import type { Events } from '#event-store'
import type { Transactions } from '#kernel'
import { notFound, Public } from '#platform'
import { SagaEngine, sagaRef } from '#saga'
import { Controller, Get, Inject, Param, Res } from '@nestjs/common'
import { ApiOkResponse, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { AUTHORISE, PAYER_RETURNED, providerPartOf } from '../sagas/provider-part.js'
import { RETURN_URL, STORE, TRANSACTIONS } from '../tokens.js'
import { WebhookAnswer } from './answers.js'

@Controller('v1/payments/:id/callback')
@ApiTags('payments')
export class CallbacksController {
  constructor(
    @Inject(STORE) private readonly events: Pick<Events, 'load'>,
    @Inject(SagaEngine) private readonly engine: Pick<SagaEngine, 'apply'>,
    @Inject(TRANSACTIONS) private readonly transactions: Transactions,
    @Inject(RETURN_URL) private readonly returnUrl: string | undefined,
  ) {}

  /**
   * Where a bank's page sends the payer's browser. What it brings proves nothing, so nothing of it is read: the provider is asked at once what
   * became of the payment, unless it is being asked. 303 to the shop's page where one is configured.
   */
  @Get()
  @Public()
  @ApiOkResponse({ type: WebhookAnswer })
  @ApiResponse({ status: 303, type: WebhookAnswer, description: "On to the shop's page." })
  async returned(@Param('id') sagaId: string, @Res({ passthrough: true }) reply: FastifyReply): Promise<WebhookAnswer> {
    const { state } = await this.events.load(sagaRef(sagaId))
    const part = providerPartOf(state)
    if (!part) throw notFound('payment')
    const asked = state.steps[AUTHORISE]
    if (asked?.status === 'running') {
      // At most once for each time that the provider was asked: a browser that comes again and again makes no difference.
      const id = `returned ${sagaId} ${asked.attempts}`
      const context = { correlationId: state.correlationId, causationId: id }
      await this.transactions.run((tx) => this.engine.apply([{ kind: 'message', id, sagaId, context, name: PAYER_RETURNED, body: {} }], tx))
    }
    if (this.returnUrl !== undefined)
      void reply.status(303).header('location', this.returnUrl.replaceAll('{id}', encodeURIComponent(part.orderId)))
    return { received: true }
  }
}
