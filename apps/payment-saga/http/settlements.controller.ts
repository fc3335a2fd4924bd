import type { Json } from '#kernel'
import { isDate } from '#payment'
import { ConsistencyTokenHeader, Cursor, OwnedBy, PageQuery, pageOf, Roles, type ConsistencyToken, type OwnershipResolver } from '#platform'
import { Controller, Get, Inject, Injectable, Param, Query } from '@nestjs/common'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { Settlements } from '../ledger/settlements.js'
import { SettlementAnswer } from './settlements.answers.js'
import { splitView } from './settlements.view.js'

/** A day that the calendar has; another is not found, before anything else of the request is looked at. */
@Injectable()
export class AnyDay implements OwnershipResolver {
  owns(date: string): Promise<boolean> {
    return Promise.resolve(isDate(date))
  }
}

@Controller('v1/settlements')
@ApiTags('payments')
export class SettlementsController {
  constructor(@Inject(Settlements) private readonly settlements: Settlements) {}

  /** What a day of India's calendar comes to for the merchant: captures and refunds, and what of each is commission and its GST. */
  @Get(':date')
  @Roles('merchant', 'auditor', 'admin')
  @OwnedBy(AnyDay, 'date')
  @ApiOkResponse({ type: SettlementAnswer })
  async read(
    @Param('date') date: string,
    @Query() { limit, cursor }: PageQuery,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<SettlementAnswer> {
    const after = cursor === undefined ? undefined : Cursor.parse(cursor, isPlace)
    const [{ postings, balances }, rows] = await Promise.all([
      this.settlements.totals(date),
      this.settlements.list(date, after && { at: after[0], journal: after[1] }, limit + 1),
    ])
    const page = pageOf(
      rows,
      limit,
      ({ kind, paymentId, orderId, at, balances }) => ({
        kind,
        paymentId,
        orderId,
        at: new Date(at).toISOString(),
        ...splitView(balances),
      }),
      ({ at, journal }) => [at, journal],
    )
    return { date, captures: postings.capture, refunds: postings.refund, ...splitView(balances), ...page }
  }
}

const isPlace = (value: Json): value is [number, string] =>
  Array.isArray(value) &&
  value.length === 2 &&
  typeof value[0] === 'number' &&
  Number.isSafeInteger(value[0]) &&
  Math.abs(value[0]) < 8e15 &&
  typeof value[1] === 'string' &&
  !value[1].includes('\0')
