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
  @ApiHeader({
    name: 'x-sandbox-signature',
    required: false,
    description: 'Of the sandbox: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`',
  })
  @ApiHeader({ name: 'x-razorpay-signature', required: false, description: 'Of Razorpay: hex HMAC-SHA256 of the body' })
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  @ApiOkResponse({ type: WebhookAnswer })
  @ApiUnauthorizedResponse({ description: 'The signature is not of this body, or not of now.' })
  async receive(
    @Param('provider') provider: string,
    @RawBody() body: Buffer,
    @Headers() headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): Promise<WebhookAnswer> {
    const header = (name: string) => {
      const value = headers[name]
      return typeof value === 'string' ? value : undefined
    }
    switch (await this.inbox.receive(provider, body, header)) {
      case 'unknown-provider':
        throw notFound('provider')
      case 'unsigned':
        throw new Problem(401, 'invalid-signature', 'The signature is not of this body, or not of now.')
      case 'malformed':
        throw new Problem(400, 'invalid-input', 'This is not an event of this provider.')
      case 'kept':
      case 'unread':
        return { received: true }
    }
  }
}
