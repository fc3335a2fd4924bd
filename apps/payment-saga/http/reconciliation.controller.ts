import type { Clock } from '#kernel'
import { isDate } from '#payment'
import {
  ConsistencyTokenHeader,
  Cursor,
  HttpCommand,
  Idempotent,
  isUuid,
  notFound,
  OwnedBy,
  pageOf,
  Roles,
  type CommandRequest,
  type ConsistencyToken,
  type OwnershipResolver,
  type RecordedAnswer,
} from '#platform'
import { Body, Controller, Get, HttpCode, Inject, Injectable, Param, Post, Query } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiAcceptedResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { Reconcile, ResolveCase } from '../commands/reconcile.js'
import { Settlements } from '../ledger/settlements.js'
import { ReconciliationReports } from '../reconciliation/reports.js'
import { caseView, reportView } from './reconciliation.view.js'
import { CLOCK } from '../tokens.js'
import {
  ReconciliationAnswer,
  ReconciliationAskedAnswer,
  ReconciliationCaseAnswer,
  ReconciliationCasesAnswer,
} from './reconciliation.answers.js'
import { CasesQuery } from './reconciliation.dto.js'
import { AnyDay } from './settlements.controller.js'
import { OperatorDto } from './sagas.dto.js'

/** Any case that is there is every operator's. */
@Injectable()
export class AnyCase implements OwnershipResolver {
  constructor(@Inject(ReconciliationReports) private readonly reports: ReconciliationReports) {}

  async owns(id: string): Promise<boolean> {
    return (await this.reports.case(id)) !== undefined
  }
}

/** Our books beside the provider's, day by day. */
@Controller('v1')
@ApiTags('payments')
export class ReconciliationController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(ReconciliationReports) private readonly reports: ReconciliationReports,
    @Inject(Settlements) private readonly settlements: Settlements,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Holds the provider's settlement file of the day against our books, again if it was done; the day so far, where it is not over. */
  @Post('settlements/:date/reconciliation')
  @HttpCode(202)
  @Roles('support', 'admin')
  @OwnedBy(AnyDay, 'date')
  @Idempotent('optional')
  @ApiAcceptedResponse({ type: ReconciliationAskedAnswer })
  reconcile(@Param('date') date: string, @Body() { reason }: OperatorDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new Reconcile(request, date, reason))
  }

  /** What it came to. A day is reconciled by itself some hours after its end. */
  @Get('settlements/:date/reconciliation')
  @Roles('support', 'auditor', 'admin')
  @OwnedBy(AnyDay, 'date')
  @ApiOkResponse({ type: ReconciliationAnswer })
  async report(@Param('date') date: string, @ConsistencyTokenHeader() _token: ConsistencyToken | undefined): Promise<ReconciliationAnswer> {
    const report = await this.reports.of(date)
    if (!report) throw notFound('reconciliation')
    return reportView(report, (await this.settlements.totals(date)).balances)
  }

  /** Differences between the provider's books and ours, the newest first. */
  @Get('reconciliation-cases')
  @Roles('support', 'auditor', 'admin')
  @ApiOkResponse({ type: ReconciliationCasesAnswer })
  async cases(
    @Query() { date, status, limit, cursor }: CasesQuery,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<ReconciliationCasesAnswer> {
    if (date !== undefined && !isDate(date)) return { items: [], nextCursor: null }
    const before = cursor === undefined ? undefined : Cursor.parse(cursor, isUuid)
    const filter = { ...(date === undefined ? {} : { date }), ...(status === undefined ? {} : { status }) }
    return pageOf(await this.reports.cases(filter, before, limit + 1), limit, caseView, ({ caseId }) => caseId)
  }

  /**
   * A person says what it was. It is not opened again while both sides stay as they are. `If-Match` with the case's `version`: only while its
   * figures are those that the person saw.
   */
  @Post('reconciliation-cases/:id/resolve')
  @HttpCode(200)
  @Roles('support', 'admin')
  @OwnedBy(AnyCase)
  @Idempotent('optional')
  @ApiOkResponse({ type: ReconciliationCaseAnswer })
  resolve(@Param('id') id: string, @Body() { reason }: OperatorDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new ResolveCase(request, id, reason, this.clock.now()))
  }
}
