import { KeepRawBody, notFound, Problem, Public, RawBody } from '#platform'
import { Controller, Headers, HttpCode, Inject, Param, Post } from '@nestjs/common'
import { ApiBody, ApiHeader, ApiOkResponse, ApiTags, ApiUnauthorizedResponse } from '@nestjs/swagger'
import { WebhookInbox } from '../webhooks/webhook-inbox.js'
import { WebhookAnswer } from './answers.js'

@Controller('v1/webhooks')
@ApiTags('payments')
export class WebhooksController {
  constructor(@Inject(WebhookInbox) private readonly inbox: WebhookInbox) {}

  /** A payment provider tells what happened. 200 once it is kept; any order, any number of times. */
  @Post(':provider')
  @HttpCode(200)
  // The signature is what keeps strangers out; a burst of webhooks after an outage must get in.
  @Public({ rateLimited: false })
  @KeepRawBody()
  @ApiHeader({ name: 'x-sandbox-signature', required: true, description: '`t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`' })
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiOkResponse({ type: WebhookAnswer })
  @ApiUnauthorizedResponse({ description: 'The signature is not of this body, or not of now.' })
  async receive(
    @Param('provider') provider: string,
    @RawBody() body: Buffer,
    @Headers('x-sandbox-signature') signature: string | undefined,
  ): Promise<WebhookAnswer> {
    switch (await this.inbox.receive(provider, body, signature)) {
      case 'unknown-provider':
        throw notFound('provider')
      case 'unsigned':
        throw new Problem(401, 'invalid-signature', 'The signature is not of this body, or not of now.')
      case 'malformed':
        throw new Problem(400, 'invalid-input', 'This is not an event of this provider.')
      case 'kept':
        return { received: true }
    }
  }
}
