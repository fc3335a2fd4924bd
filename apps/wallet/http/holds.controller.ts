import { HttpCommand, Idempotent, invalidInput, OwnedBy, paiseOf, Roles, type CommandRequest, type RecordedAnswer } from '#platform'
import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiCreatedResponse, ApiNotFoundResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { CaptureMoney, HoldMoney, ReleaseMoney } from '../commands/hold-funds.js'
import { TransferMoney } from '../commands/move-money.js'
import { HoldEnder, WalletHolder } from './ownership.js'
import { HoldAnswer, TransferAnswer } from './wallet.answers.js'
import { CaptureDto, HoldDto, NothingDto, TransferDto } from './wallet.dto.js'

@Controller('v1/wallets/:id/holds')
@ApiTags('wallets')
export class HoldsController {
  constructor(@Inject(CommandBus) private readonly bus: CommandBus) {}

  /** Sets money aside. An expired hold releases itself. */
  @Post()
  @Roles('customer', 'service', 'admin')
  @OwnedBy(WalletHolder)
  @Idempotent('required')
  @ApiCreatedResponse({ type: HoldAnswer })
  hold(@Param('id') walletId: string, @Body() body: HoldDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    const expiresAt_ms = body.expiresAt === undefined ? undefined : Date.parse(body.expiresAt)
    return this.bus.execute(new HoldMoney(request, walletId, paiseOf(body.amount), body.reference, expiresAt_ms))
  }

  /** Takes the held money, or part of it; what is left of the hold is released. For whoever made the hold, and admin. */
  @Post(':holdId/capture')
  @HttpCode(200)
  @Roles('customer', 'service', 'admin')
  @OwnedBy(HoldEnder)
  @Idempotent('required')
  @ApiOkResponse({ type: HoldAnswer })
  capture(
    @Param('id') walletId: string,
    @Param('holdId') holdId: string,
    @Body() body: CaptureDto,
    @HttpCommand() request: CommandRequest,
  ): Promise<RecordedAnswer> {
    return this.bus.execute(new CaptureMoney(request, walletId, holdId, body.amount && paiseOf(body.amount)))
  }

  /** Gives the held money back. For whoever made the hold, and admin. */
  @Post(':holdId/release')
  @HttpCode(200)
  @Roles('customer', 'service', 'admin')
  @OwnedBy(HoldEnder)
  @Idempotent('required')
  @ApiOkResponse({ type: HoldAnswer })
  release(
    @Param('id') walletId: string,
    @Param('holdId') holdId: string,
    @Body() _body: NothingDto,
    @HttpCommand() request: CommandRequest,
  ): Promise<RecordedAnswer> {
    return this.bus.execute(new ReleaseMoney(request, walletId, holdId))
  }
}

@Controller('v1/transfers')
@ApiTags('wallets')
export class TransfersController {
  constructor(@Inject(CommandBus) private readonly bus: CommandBus) {}

  /** From one's own wallet to another: both sides or neither. */
  @Post()
  @Roles('customer')
  @Idempotent('required')
  @ApiCreatedResponse({ type: TransferAnswer })
  @ApiNotFoundResponse()
  transfer(@Body() body: TransferDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    if (body.fromWalletId === body.toWalletId) {
      throw invalidInput([{ pointer: '/toWalletId', detail: 'must be another wallet than fromWalletId' }])
    }
    return this.bus.execute(new TransferMoney(request, body.fromWalletId, body.toWalletId, paiseOf(body.amount), body.reference))
  }
}
