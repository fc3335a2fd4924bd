import type { Json } from '#kernel'
import {
  ConsistencyTokenHeader,
  Cursor,
  HttpCommand,
  Idempotent,
  isUuid,
  OwnedBy,
  pageOf,
  Roles,
  type CommandRequest,
  type ConsistencyToken,
  type OwnershipResolver,
  type Page,
  type RecordedAnswer,
} from '#platform'
import { Body, Controller, Get, HttpCode, Inject, Injectable, Param, Post, Query } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import type { AlertStore } from '../alerts/alert-store.js'
import { alertView } from '../alerts/alert-view.js'
import { DecideAlert } from '../commands/decide-alert.js'
import { ALERTS } from '../tokens.js'
import { AlertAnswer, AlertsAnswer } from './fraud.answers.js'
import { AlertsQuery, DecisionDto } from './fraud.dto.js'

/** Any alert that is there is every risk officer's. */
@Injectable()
export class AnyAlert implements OwnershipResolver {
  constructor(@Inject(ALERTS) private readonly alerts: AlertStore) {}

  async owns(id: string): Promise<boolean> {
    return (await this.alerts.get(id)) !== undefined
  }
}

@Controller('v1/fraud/alerts')
@ApiTags('fraud')
export class AlertsController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(ALERTS) private readonly alerts: AlertStore,
  ) {}

  /** The review queue, the oldest first. Never behind a decision: both are one transaction. Samples are in it only where the status asks for them. */
  @Get()
  @Roles('risk')
  @ApiOkResponse({ type: AlertsAnswer })
  async list(@Query() query: AlertsQuery, @ConsistencyTokenHeader() _token: ConsistencyToken | undefined): Promise<Page<Json>> {
    const rows = await this.alerts.list({
      limit: query.limit + 1,
      ...(query.status === undefined ? {} : { status: query.status }),
      ...(query.cursor === undefined ? {} : { after: Cursor.parse(query.cursor, isUuid) }),
    })
    return pageOf(rows, query.limit, alertView, ({ alertId }) => alertId)
  }

  /** Moves the order on, or has it cancelled. Of a sample it is the label, and its order stays as it is. Once: 409 `invalid-transition` after. */
  @Post(':id/decision')
  @HttpCode(200)
  @Roles('risk')
  @OwnedBy(AnyAlert)
  @Idempotent('optional')
  @ApiOkResponse({ type: AlertAnswer })
  decide(@Param('id') id: string, @Body() body: DecisionDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new DecideAlert(request, id, body.decision, body.note))
  }
}
