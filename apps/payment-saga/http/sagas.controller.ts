import type { Events } from '#event-store'
import type { Clock, Json, JsonObject } from '#kernel'
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
  type Page,
  type RecordedAnswer,
} from '#platform'
import { sagaRef, type SagaStore } from '#saga'
import { Body, Controller, Get, HttpCode, Inject, Injectable, Param, Post, Query, Res } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { OperateSaga } from '../commands/operate-saga.js'
import { instanceView, sagaView, timelineView } from '../saga-view.js'
import { CLOCK, SAGAS, STORE } from '../tokens.js'
import { SagaAnswer, SagasAnswer } from './answers.js'
import { durationOf_ms, OperatorDto, ResumeDto, RetryDto, SagasQuery, TimelineQuery } from './sagas.dto.js'

/** Of one saga at once: a saga that asks for days is long, and its newest events are what one looks for. */
const TIMELINE = 200

/** Any saga that is there is every operator's. */
@Injectable()
export class AnySaga implements OwnershipResolver {
  constructor(@Inject(STORE) private readonly events: Events) {}

  async owns(id: string): Promise<boolean> {
    return (await this.events.load(sagaRef(id))).state.phase !== 'new'
  }
}

/** Sagas for operators. They are written where they are read, so a consistency token needs no waiting. */
@Controller('v1/sagas')
@ApiTags('sagas')
export class SagasController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(SAGAS) private readonly sagas: SagaStore,
    @Inject(STORE) private readonly events: Events,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The newest first. */
  @Get()
  @Roles('support', 'auditor', 'admin')
  @ApiOkResponse({ type: SagasAnswer })
  async list(@Query() query: SagasQuery, @ConsistencyTokenHeader() _token: ConsistencyToken | undefined): Promise<Page<Json>> {
    const { type, status, stuckFor, cursor, limit } = query
    const filter = {
      ...(type === undefined ? {} : { type }),
      ...(status === undefined ? {} : { status }),
      // Not before the epoch, whatever was asked for.
      ...(stuckFor === undefined ? {} : { stuckSince: Math.max(this.clock.now() - durationOf_ms(stuckFor), 0) }),
    }
    const page = { limit: limit + 1, ...(cursor === undefined ? {} : { before: Cursor.parse(cursor, isUuid) }) }
    return pageOf(await this.sagas.list(filter, page), limit, instanceView, ({ id }) => id)
  }

  /** Its ETag is what `If-Match` of the operations below is held against. Each step with its attempts, timers and compensation, what it waits for, and what happened. */
  @Get(':id')
  @Roles('support', 'auditor', 'admin')
  @ApiOkResponse({ type: SagaAnswer })
  async read(
    @Param('id') id: string,
    @Query() { cursor }: TimelineQuery,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const { state, version } = await this.events.load(sagaRef(id))
    if (state.phase === 'new') throw notFound('saga')
    const row = await this.sagas.instance(id)
    const timeline: JsonObject[] = []
    const to = cursor === undefined ? version : Cursor.parse(cursor, isVersion)
    const from = Math.max(to - TIMELINE + 1, 1)
    for await (const event of this.events.readStream(`saga-${id}`, { from, to })) timeline.push(timelineView(event))
    void reply.header('etag', `"${version}"`)
    return {
      ...sagaView(state, version),
      ...(row?.waitingFor === undefined ? {} : { waitingFor: row.waitingFor }),
      timeline,
      timelineCursor: from > 1 ? Cursor.encode(from - 1) : null,
    }
  }

  /** Tries again what waits for an operator, one step or all: the same call where its outcome is not known, a new one where it was refused. */
  @Post(':id/retry')
  @HttpCode(200)
  @Roles('support', 'admin')
  @OwnedBy(AnySaga)
  @Idempotent('optional')
  @ApiOkResponse({ type: SagaAnswer })
  retry(@Param('id') id: string, @Body() { reason, step }: RetryDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new OperateSaga(request, id, { action: 'retry', ...(step === undefined ? {} : { step }) }, reason))
  }

  /** Turns it back. 409 `invalid-transition` past its pivot. */
  @Post(':id/compensate')
  @HttpCode(200)
  @Roles('support', 'admin')
  @OwnedBy(AnySaga)
  @Idempotent('optional')
  @ApiOkResponse({ type: SagaAnswer })
  compensate(@Param('id') id: string, @Body() { reason }: OperatorDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new OperateSaga(request, id, { action: 'compensate' }, reason))
  }

  /** Settles a step by a person's word. What success must tell besides, and the saga does not know, is a 400 with its pointer. */
  @Post(':id/resume')
  @HttpCode(200)
  @Roles('support', 'admin')
  @OwnedBy(AnySaga)
  @Idempotent('optional')
  @ApiOkResponse({ type: SagaAnswer })
  resume(@Param('id') id: string, @Body() body: ResumeDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    const { step, outcome, evidence, reason = evidence, providerPaymentId, decision, captured, method, walletId } = body
    const told = {
      ...(providerPaymentId === undefined ? {} : { providerPaymentId }),
      ...(decision === undefined ? {} : { decision }),
      ...(captured === undefined ? {} : { captured: captured.amount }),
      ...(method === undefined ? {} : { method }),
      ...(walletId === undefined ? {} : { walletId }),
    }
    return this.bus.execute(new OperateSaga(request, id, { action: 'resume', step, outcome, evidence, told }, reason))
  }
}

const isVersion = (value: Json): value is number => Number.isSafeInteger(value) && Number(value) >= 1
