import type { Clock } from '#kernel'
import type { GroupStanding, LogDriver } from '#messaging'
import { HttpCommand, Idempotent, notFound, OwnedBy, Roles, unavailable, type CommandRequest, type OwnershipResolver } from '#platform'
import { Body, Controller, Get, HttpCode, Inject, Injectable, Param, Post, Query } from '@nestjs/common'
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { CLOCK, LOG_DRIVER } from '../tokens.js'
import { AuditPageDto, AuditQuery } from './audit.dto.js'
import { AuditTrail } from './audit.js'
import { DeadLetters } from './dead-letters.js'
import {
  ConsumersDto,
  DeadLetterEntryDto,
  DeadLetterPageDto,
  DeadLettersQuery,
  RedriveAnswerDto,
  RedriveDto,
  RedriveManyDto,
} from './ops.dto.js'
import { Redrives } from './redrives.js'

/** Any letter that is there is every admin's. */
@Injectable()
export class AnyLetter implements OwnershipResolver {
  constructor(@Inject(DeadLetters) private readonly letters: DeadLetters) {}

  async owns(id: string): Promise<boolean> {
    return (await this.letters.find(id)) !== undefined
  }
}

/** Of all apps: what they told the log, and what they parked. */
@ApiTags('operations')
@ApiBearerAuth()
@Roles('admin')
@Controller('v1/ops')
export class OpsController {
  constructor(
    @Inject(DeadLetters) private readonly letters: DeadLetters,
    @Inject(Redrives) private readonly redrives: Redrives,
    @Inject(AuditTrail) private readonly trail: AuditTrail,
    @Inject(LOG_DRIVER) private readonly driver: LogDriver,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Every consumer group with its partitions. A group is seen some seconds after it has started. */
  @Get('consumers')
  @ApiOkResponse({ type: ConsumersDto })
  async consumers(): Promise<ConsumersDto> {
    const standings = await this.driver.groups().catch((error: unknown) => {
      throw unavailable(error)
    })
    const now_ms = this.clock.now()
    return { items: [...Map.groupBy(standings, ({ group }) => group)].map(([group, partitions]) => groupView(group, partitions, now_ms)) }
  }

  /** Who did what by a role that customers do not have, the newest first; a second or so after it was done. */
  @Get('audit')
  @Roles('auditor', 'admin')
  @ApiOkResponse({ type: AuditPageDto })
  audit(@Query() query: AuditQuery): Promise<AuditPageDto> {
    return this.trail.list(query)
  }

  /** The newest first. */
  @Get('dead-letters')
  @ApiOkResponse({ type: DeadLetterPageDto })
  list(@Query() query: DeadLettersQuery): Promise<DeadLetterPageDto> {
    return this.letters.list(query)
  }

  /** With what happened to it. Its data stays with the app that parked it. */
  @Get('dead-letters/:id')
  @ApiOkResponse({ type: DeadLetterEntryDto })
  async one(@Param('id') id: string): Promise<DeadLetterEntryDto> {
    const letter = await this.letters.find(id)
    if (!letter) throw notFound('dead letter')
    return letter
  }

  /** Any number of times, with one effect. */
  @Post('dead-letters/:id/redrive')
  @HttpCode(200)
  @OwnedBy(AnyLetter)
  @Idempotent('optional')
  @ApiOkResponse({ type: RedriveAnswerDto })
  redrive(@Param('id') id: string, @Body() { reason }: RedriveDto, @HttpCommand() request: CommandRequest) {
    return this.redrives.one(id, reason, request)
  }

  /** Those that the filter means, at most 1,000 a request; without a filter all of the topic, without a topic all. */
  @Post('dead-letters/redrive')
  @HttpCode(200)
  @Idempotent('optional')
  @ApiOkResponse({ type: RedriveAnswerDto })
  redriveMany(@Body() { topic, filter, reason }: RedriveManyDto, @HttpCommand() request: CommandRequest) {
    return this.redrives.byFilter({ ...filter, ...(topic !== undefined && { topic }) }, reason, request)
  }
}

const groupView = (group: string, standings: readonly GroupStanding[], now_ms: number): ConsumersDto['items'][number] => {
  const partitions = standings.map(
    ({ topic, partition, next, lag, waitingSince_ms, deferred, parked, owned, gap, breaker, toldAt_ms }) => ({
      topic,
      partition,
      next: next.toString(),
      lag,
      lagSeconds: waitingSince_ms === undefined ? 0 : Math.max(0, now_ms - waitingSince_ms) / 1_000,
      deferred,
      parked,
      owned,
      ...(gap && { gap }),
      ...(breaker && { breaker }),
      toldAt: new Date(toldAt_ms).toISOString(),
    }),
  )
  const sum = (of: 'lag' | 'deferred' | 'parked') => partitions.reduce((all, each) => all + each[of], 0)
  return {
    group,
    lag: sum('lag'),
    lagSeconds: Math.max(...partitions.map(({ lagSeconds }) => lagSeconds)),
    deferred: sum('deferred'),
    parked: sum('parked'),
    healthy: partitions.every(({ owned, gap }) => owned && gap === undefined),
    partitions,
  }
}
