import { formatRupees } from '#kernel'
import { Body, Controller, Get, Header, Inject, Param, Post, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { Books, UNKNOWN_PAYMENT } from '../books.js'
import type { Payment } from '../payment.js'
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

const pageOf = ({ orderId, amount, status, asksPayer }: Payment): string => {
  const asked = status === 'pending' && asksPayer === true
  const form = `<form method="post"><button name="decision" value="pay">Pay</button> <button name="decision" value="decline">Decline</button></form>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sandbox bank</title>
<style>body { font: 1.2rem sans-serif; margin: 3rem auto; max-width: 30rem } button { font: inherit; padding: 0.5rem 1.5rem }</style>
<h1>Sandbox bank</h1>
<p>No money moves here.</p>
<p>Reference ${escaped(orderId)}: <strong>\u20b9${formatRupees(amount)}</strong></p>
${asked ? form : `<p id="status">This payment is ${escaped(status)}.</p>`}
</html>
`
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
