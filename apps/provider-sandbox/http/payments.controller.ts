import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common'
import { isRefusal, type Clock, type Paise } from '#kernel'
import { Books, KEY_REUSED, UNKNOWN_PAYMENT } from '../books.js'
import { outcomeOf } from '../outcome.js'
import type { Operation, Payment } from '../payment.js'
import { CLOCK, SETTINGS, type SandboxSettings } from '../settings.js'
import { NoAnswer, Problem } from './problem.filter.js'
import { readAmount, readOpening, readOperation, readQuery, readVoiding } from './requests.js'

@Controller('v1/payments')
export class PaymentsController {
  constructor(
    @Inject(Books) private readonly books: Books,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SETTINGS) private readonly settings: SandboxSettings,
  ) {}

  @Post()
  async open(@Body() body: unknown): Promise<unknown> {
    const { amount, ...request } = readOpening(body)
    const paise = readAmount(amount)
    const outcome = outcomeOf(request.method, request.instrument)
    if (outcome === 'timeout') return this.#noAnswer()
    const payment = await this.books.open({ ...request, amount: paise })
    if (payment === KEY_REUSED) throw keyReused()
    // Also a repeat gets no answer, so that only asking for the status tells.
    if (outcome === 'lost') return this.#noAnswer()
    return this.#view(payment)
  }

  /** The status query: what became of a payment of which one knows the key only. */
  @Get()
  async byKey(@Query() query: unknown): Promise<unknown> {
    return this.#view(found(await this.books.byKey(readQuery(query).idempotencyKey)))
  }

  @Get(':id')
  async byId(@Param('id') id: string): Promise<unknown> {
    return this.#view(found(await this.books.byId(paymentId(id))))
  }

  @Post(':id/capture')
  @HttpCode(200)
  capture(@Param('id') id: string, @Body() body: unknown): Promise<unknown> {
    const { idempotencyKey, amount } = readOperation(body)
    return this.#operate(id, 'capture', idempotencyKey, amount)
  }

  @Post(':id/void')
  @HttpCode(200)
  void(@Param('id') id: string, @Body() body: unknown): Promise<unknown> {
    return this.#operate(id, 'void', readVoiding(body).idempotencyKey)
  }

  @Post(':id/refunds')
  refund(@Param('id') id: string, @Body() body: unknown): Promise<unknown> {
    const { idempotencyKey, amount } = readOperation(body)
    return this.#operate(id, 'refund', idempotencyKey, amount)
  }

  async #operate(id: string, operation: Operation, key: string, amount?: string): Promise<unknown> {
    const paise: Paise | undefined = amount === undefined ? undefined : readAmount(amount)
    const result = await this.books.operate(paymentId(id), operation, key, paise)
    if (result === UNKNOWN_PAYMENT) throw notFound()
    if (result === KEY_REUSED) throw keyReused()
    if (isRefusal(result)) throw new Problem(409, result.slug, result.detail)
    return this.#view(result)
  }

  #view(payment: Payment) {
    return view(payment, this.settings.publicUrl)
  }

  async #noAnswer(): Promise<never> {
    await this.clock.sleep(this.settings.hang_ms)
    throw new NoAnswer()
  }
}

/** A payment as a merchant sees it; amounts are paise in decimal strings. */
const view = (payment: Payment, publicUrl: string) => ({
  paymentId: payment.paymentId,
  idempotencyKey: payment.idempotencyKey,
  orderId: payment.orderId,
  method: payment.method,
  status: payment.status,
  amount: payment.amount.toString(),
  captured: payment.captured.toString(),
  refunded: payment.refunded.toString(),
  ...(payment.paidAt === undefined ? {} : { paidAt: new Date(payment.paidAt).toISOString() }),
  ...(payment.declineReason === undefined ? {} : { reason: payment.declineReason }),
  ...nextOf(payment, publicUrl),
})

/** Where the payer goes on: to their UPI app, or to the bank's page. */
const nextOf = (payment: Payment, publicUrl: string) => {
  if (payment.status !== 'pending') return {}
  if (payment.flow === 'intent') return { next: { kind: 'intent', url: intentUrl(payment) } }
  return payment.method === 'netbanking' && payment.asksPayer
    ? { next: { kind: 'redirect', url: `${publicUrl}/pay/${payment.paymentId}` } }
    : {}
}

/** What the payer's UPI app opens (NPCI's UPI linking specification): payee, reference, amount in rupees. */
const intentUrl = ({ paymentId, amount }: Payment): string => {
  const rupees = `${amount / 100n}.${(amount % 100n).toString().padStart(2, '0')}`
  return `upi://pay?${new URLSearchParams({ pa: 'sandbox@upi', pn: 'Sandbox', tr: paymentId, am: rupees, cu: 'INR' })}`
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const paymentId = (id: string): string => {
  if (!UUID.test(id)) throw notFound()
  return id
}

export const found = (payment: Payment | undefined): Payment => {
  if (!payment) throw notFound()
  return payment
}

/** Another slug than that of a path which does not exist: a merchant must be able to tell the books' word from a wrong address. */
export const notFound = () => new Problem(404, UNKNOWN_PAYMENT, 'no such payment')
const keyReused = () => new Problem(422, 'idempotency-key-reused', 'the idempotency key was used for another request')
