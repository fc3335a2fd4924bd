import { Body, Controller, Get, Header, Inject, Param, Post, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { Books, UNKNOWN_PAYMENT } from '../books.js'
import { pageOf } from './page.js'
import { found, notFound, paymentId } from './payments.controller.js'
import { readDecision } from './requests.js'

const HTML = 'text/html; charset=utf-8'
/** Nothing is loaded and nothing runs: two buttons. Where the form goes after it is the merchant's to say. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

/** The bank's page, and what stands in for a UPI app: a payer's browser opens it, so it takes no API key. A payment's id is not to be guessed. */
@Controller('pay')
export class PageController {
  constructor(@Inject(Books) private readonly books: Books) {}

  @Get(':id')
  @Header('content-type', HTML)
  @Header('content-security-policy', POLICY)
  @Header('cache-control', 'no-store')
  async show(@Param('id') id: string): Promise<string> {
    return pageOf(found(await this.books.byId(paymentId(id))))
  }

  /** Pays or declines, once, and sends the browser back to the merchant; without an address to go back to it stays here. */
  @Post(':id')
  async decide(@Param('id') id: string, @Body() body: unknown, @Res() reply: FastifyReply): Promise<void> {
    const payment = await this.books.decide(paymentId(id), readDecision(body).decision === 'pay')
    if (payment === UNKNOWN_PAYMENT) throw notFound()
    await reply
      .status(303)
      .header('location', payment.returnUrl ?? payment.paymentId)
      .header('cache-control', 'no-store')
      .send()
  }
}
