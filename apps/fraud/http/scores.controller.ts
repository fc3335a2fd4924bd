import type { Clock, JsonObject } from '#kernel'
import { HttpCommand, Idempotent, invalidInput, keyedHash, paiseOf, Roles, type CommandRequest, type RecordedAnswer } from '#platform'
import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { ScoreDescribed } from '../commands/score-described.js'
import { CLOCK, HASH_KEY } from '../tokens.js'
import { ScoreAnswer } from './fraud.answers.js'
import { ScoreDto } from './fraud.dto.js'

@Controller('v1/fraud/scores')
@ApiTags('fraud')
export class ScoresController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(HASH_KEY) private readonly hashKey: string,
  ) {}

  /** Scores a described transaction as an order of now would be. Nothing is kept of it unless it says `count`. */
  @Post()
  @HttpCode(200)
  @Roles('service', 'risk')
  @Idempotent('optional')
  @ApiOkResponse({ type: ScoreAnswer })
  score(@Body() body: ScoreDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer | JsonObject> {
    if (body.deviceId !== undefined && body.deviceHash !== undefined)
      throw invalidInput([{ pointer: '/deviceId', detail: 'must not be given beside deviceHash' }])
    const deviceHash = body.deviceId === undefined ? body.deviceHash : keyedHash(this.hashKey, `device|${body.deviceId}`)
    const transaction = {
      customerId: body.customerId,
      amount: paiseOf(body.amount),
      method: body.method,
      ...(body.addressHash === undefined ? {} : { addressHash: body.addressHash }),
      ...(deviceHash === undefined ? {} : { deviceHash }),
      at: body.at === undefined ? this.clock.now() : Date.parse(body.at),
    }
    return this.bus.execute(new ScoreDescribed(request, transaction, body.count === true, body.at !== undefined))
  }
}
