import {
  ConsistencyTokenHeader,
  HttpCommand,
  Idempotent,
  notFound,
  OwnedBy,
  paiseOf,
  Roles,
  type CommandRequest,
  type ConsistencyToken,
  type RecordedAnswer,
} from '#platform'
import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiAcceptedResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { LoadWallet } from '../commands/load-wallet.js'
import { WalletReads } from '../reads.js'
import { loadView } from '../view.js'
import { WalletOwner, WalletReader } from './ownership.js'
import { LoadAnswer } from './wallet.answers.js'
import { LoadDto } from './wallet.dto.js'

@Controller('v1/wallets/:id/loads')
@ApiTags('wallets')
export class LoadsController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(WalletReads) private readonly reads: WalletReads,
  ) {}

  /** Adds money by a payment provider: credited when it is paid. What the limits have no room for is refused before anything is paid. */
  @Post()
  @HttpCode(202)
  @Roles('customer')
  @OwnedBy(WalletOwner)
  @Idempotent('required')
  @ApiAcceptedResponse({ type: LoadAnswer })
  load(@Param('id') walletId: string, @Body() body: LoadDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new LoadWallet(request, walletId, paiseOf(body.amount), body.payment))
  }

  /** A load, under way or ended; `next` while its payer has somewhere to go on. */
  @Get(':loadId')
  @Roles('customer', 'support', 'risk', 'auditor', 'admin')
  @OwnedBy(WalletReader)
  @ApiOkResponse({ type: LoadAnswer })
  async read(
    @Param('id') walletId: string,
    @Param('loadId') loadId: string,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<LoadAnswer> {
    const found = await this.reads.load(walletId, loadId)
    if (!found) throw notFound('load')
    return loadView(found)
  }
}
