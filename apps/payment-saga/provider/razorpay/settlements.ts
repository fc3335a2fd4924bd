import { paise, type Clock } from '#kernel'
import {
  beginningOf,
  BrokenSettlementFile,
  daysAfter,
  type MovementKind,
  type SettlementAnswer,
  type SettlementFiles,
  type SettlementLine,
} from '#payment'
import type { ProviderHttp } from '../http.js'
import { keyNoted, ReconPage, type ReconItem } from './wire.js'

/** Lines asked for at once, and the most of a day. */
const PAGE = 1_000
const MOST_LINES = 200_000
const MAX_PAGE_BYTES = 4 * 1024 * 1024
/** T+2 by https://razorpay.com/docs/payments/settlements/faqs, T being the day of the capture; and a day for a bank's holiday. */
export const RAZORPAY_SETTLES_AFTER = 3

const KINDS: Readonly<Record<string, MovementKind>> = { payment: 'capture', refund: 'refund' }

/**
 * Razorpay's settlement report (`/v1/settlements/recon/combined`), page by page: what was settled on a day, each payment some working days after it
 * was captured. Nothing is settled on a bank's holiday: an empty report is waited for, and a day after the day is over believed.
 */
export class RazorpaySettlements implements SettlementFiles {
  readonly settlesAfter = RAZORPAY_SETTLES_AFTER

  constructor(
    private readonly http: Pick<ProviderHttp, 'call'>,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  async of(date: string, signal: AbortSignal): Promise<SettlementAnswer> {
    try {
      const first = await this.#page(date, 0, signal)
      if (first.length === 0 && this.clock.now() < beginningOf(daysAfter(date, 2))) return { known: 'not-yet' }
      return { known: 'file', lines: this.#lines(date, first, signal) }
    } catch (error) {
      if (error instanceof BrokenSettlementFile) return { known: 'file', lines: this.#lines(date, error, signal) }
      return { known: 'unknown', detail: error instanceof Error ? error.message : 'no answer' }
    }
  }

  /** Whoever reads them hears of what is malformed, be it on the first page or on a later one. */
  async *#lines(date: string, first: readonly ReconItem[] | BrokenSettlementFile, signal: AbortSignal): AsyncGenerator<SettlementLine> {
    if (first instanceof BrokenSettlementFile) throw first
    let page = first
    for (let skip = 0; page.length > 0; page = page.length < PAGE ? [] : await this.#page(date, skip, signal)) {
      for (const [nth, item] of page.entries()) yield lineOf(item, skip + nth + 1)
      skip += page.length
      if (skip > MOST_LINES) throw new BrokenSettlementFile(skip, 'line', `a report has at most ${MOST_LINES}`)
    }
  }

  async #page(date: string, skip: number, signal: AbortSignal): Promise<readonly ReconItem[]> {
    const [year, month, day] = date.split('-')
    const path = `/v1/settlements/recon/combined?year=${year}&month=${month}&day=${day}&count=${PAGE}&skip=${skip}`
    const answer = await this.http.call('report', 'GET', path, signal, { maxAnswerBytes: MAX_PAGE_BYTES })
    if (!answer.answered) throw new Error(answer.detail)
    if (answer.status !== 200) throw new Error(`status ${answer.status}`)
    if (!ReconPage.Check(answer.body)) throw new BrokenSettlementFile(skip + 1, 'items', 'are not as Razorpay documents them')
    return answer.body.items
  }
}

/** An adjustment, a transfer, a dispute: each is looked at, for no saga of ours made it. */
const lineOf = (item: ReconItem, line: number): SettlementLine => {
  const { entity_id, type, amount, currency, fee, tax, payment_id, notes, order_receipt } = item
  if (currency !== 'INR') throw new BrokenSettlementFile(line, 'currency', 'must be INR')
  if (amount === 0) throw new BrokenSettlementFile(line, 'amount', 'must be whole paise, 1 or more')
  const gst = tax ?? 0
  const kind = (Object.hasOwn(KINDS, type) ? KINDS[type] : undefined) ?? 'adjustment'
  const paymentId = kind === 'refund' ? payment_id : entity_id
  if (!paymentId) throw new BrokenSettlementFile(line, 'payment_id', 'a refund is of a payment')
  const reference = keyNoted(notes) ?? order_receipt
  return {
    line,
    kind,
    paymentId,
    amount: paise(amount),
    fee: paise(Math.max((fee ?? 0) - gst, 0)),
    tax: paise(gst),
    ...(reference ? { reference } : {}),
  }
}
