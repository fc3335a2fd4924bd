import type { Clock, JsonObject } from '#kernel'
import { Cursor, HttpCommand, Idempotent, invalidInput, isUuid, Roles, type CommandRequest } from '#platform'
import type { OperatorAction, SagaFilter } from '#saga'
import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { OperateSagas } from '../commands/operate-sagas.js'
import { CLOCK } from '../tokens.js'
import { BulkAnswer } from './answers.js'
import { BulkDto, BulkResumeDto, durationOf_ms, MigrateDto } from './sagas.dto.js'

/** One hand on many sagas: by the same filter as the list. `dryRun` says which they would be. */
@Controller('v1/sagas')
@ApiTags('sagas')
export class SagaOperationsController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Tries again what waits for an operator in each of them. */
  @Post('retry')
  @HttpCode(200)
  @Roles('support', 'admin')
  @Idempotent('optional')
  @ApiOkResponse({ type: BulkAnswer })
  retry(@Body() body: BulkDto, @HttpCommand() request: CommandRequest): Promise<JsonObject> {
    return this.#operate(request, body, { action: 'retry' })
  }

  /** Turns each of them back that is not past its pivot. */
  @Post('compensate')
  @HttpCode(200)
  @Roles('support', 'admin')
  @Idempotent('optional')
  @ApiOkResponse({ type: BulkAnswer })
  compensate(@Body() body: BulkDto, @HttpCommand() request: CommandRequest): Promise<JsonObject> {
    return this.#operate(request, body, { action: 'compensate' })
  }

  /** Settles the same step of each of them by a person's word. A success that must tell more is refused: that is said saga by saga. */
  @Post('resume')
  @HttpCode(200)
  @Roles('support', 'admin')
  @Idempotent('optional')
  @ApiOkResponse({ type: BulkAnswer })
  resume(@Body() body: BulkResumeDto, @HttpCommand() request: CommandRequest): Promise<JsonObject> {
    const { step, outcome, evidence } = body
    return this.#operate(request, body, { action: 'resume', step, outcome, evidence })
  }

  /**
   * Moves instances that have not ended to another version of their definition, so that the old one can be taken away. Those of which the new
   * one does not fit what they have begun are refused, each with why; begin with `dryRun`.
   */
  @Post('migrate')
  @HttpCode(200)
  @Roles('admin')
  @Idempotent('optional')
  @ApiOkResponse({ type: BulkAnswer })
  migrate(@Body() body: MigrateDto, @HttpCommand() request: CommandRequest): Promise<JsonObject> {
    const { type, from, to } = body
    return this.#execute(request, { type, definition: from, stuckSince: this.clock.now() }, body, { action: 'migrate', to })
  }

  #operate(request: CommandRequest, body: BulkDto, operator: OperatorAction): Promise<JsonObject> {
    const { type, status, stuckFor } = body.filter
    if (type === undefined && status === undefined && stuckFor === undefined)
      throw invalidInput([{ pointer: '/filter', detail: 'must name a type, a status or for how long they are stuck' }])
    const filter: SagaFilter = {
      ...(type === undefined ? {} : { type }),
      ...(status === undefined ? {} : { status }),
      ...(stuckFor === undefined ? {} : { stuckSince: Math.max(this.clock.now() - durationOf_ms(stuckFor), 0) }),
    }
    return this.#execute(request, filter, body, operator)
  }

  async #execute(
    request: CommandRequest,
    filter: SagaFilter,
    { reason, limit = 100, cursor, dryRun = false }: Omit<BulkDto, 'filter'>,
    operator: OperatorAction,
  ): Promise<JsonObject> {
    const page = { limit, ...(cursor === undefined ? {} : { before: Cursor.parse(cursor, isUuid) }) }
    const { next, ...answer } = await this.bus.execute(new OperateSagas(request, filter, page, operator, reason, dryRun))
    return { ...answer, nextCursor: next === null ? null : Cursor.encode(next) }
  }
}
