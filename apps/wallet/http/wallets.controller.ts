import {
  Caller,
  ConsistencyTokenHeader,
  hasRole,
  HttpCommand,
  Idempotent,
  invalidInput,
  notFound,
  OwnedBy,
  paiseOf,
  Problem,
  Roles,
} from '#platform'
import type { CallerIdentity, CommandRequest, ConsistencyToken, RecordedAnswer } from '#platform'
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiCreatedResponse, ApiNotFoundResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CloseWallet, GovernWallet, RegisterBeneficiary } from '../commands/govern-wallet.js'
import { MoveMoney } from '../commands/move-money.js'
import { OpenWallet } from '../commands/open-wallet.js'
import { WalletReads } from '../reads.js'
import { walletView } from '../view.js'
import { AnyWallet, WalletOwner, WalletReader } from './ownership.js'
import { BeneficiaryAnswer, EntryAnswer, WalletAnswer } from './wallet.answers.js'
import { KycDto, DebitDto, MoveMoneyDto, NothingDto, OpenWalletDto, OwnerQuery, PastQuery, ReasonDto } from './wallet.dto.js'

@Controller('v1/wallets')
@ApiTags('wallets')
export class WalletsController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(WalletReads) private readonly reads: WalletReads,
  ) {}

  /** Opens a wallet; an owner has one open wallet at a time. Only support and admin open one for another, or with full KYC. */
  @Post()
  @Roles('customer', 'support', 'admin')
  @ApiCreatedResponse({ type: WalletAnswer })
  open(@Body() body: OpenWalletDto, @HttpCommand() request: CommandRequest, @Caller() caller: CallerIdentity): Promise<RecordedAnswer> {
    if (!hasRole(caller, 'support', 'admin') && (body.ownerId !== caller.sub || body.kyc !== 'small')) {
      throw new Problem(403, 'forbidden', 'A customer opens a small wallet, for themselves.')
    }
    return this.bus.execute(new OpenWallet(request, body.ownerId, body.kyc))
  }

  /** The owner's open wallet, or the one closed last. */
  @Get()
  @Roles('customer', 'support', 'risk', 'auditor', 'admin')
  @ApiOkResponse({ type: WalletAnswer })
  @ApiNotFoundResponse()
  async ofOwner(
    @Query() query: OwnerQuery,
    @Caller() caller: CallerIdentity,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WalletAnswer> {
    if (!caller.isStaff && query.ownerId !== caller.sub) throw notFound('wallet')
    return this.#read(await this.reads.ownedBy(query.ownerId), query, reply)
  }

  /** The wallet as it is, or as it was at a version or a time. */
  @Get(':id')
  @Roles('customer', 'support', 'risk', 'auditor', 'admin')
  @OwnedBy(WalletReader)
  @ApiOkResponse({ type: WalletAnswer })
  read(
    @Param('id') walletId: string,
    @Query() query: PastQuery,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WalletAnswer> {
    return this.#read(walletId, query, reply)
  }

  @Post(':id/credits')
  @Roles('service', 'support', 'admin')
  @OwnedBy(AnyWallet)
  @Idempotent('required')
  @ApiCreatedResponse({ type: EntryAnswer })
  credit(@Param('id') walletId: string, @Body() body: MoveMoneyDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new MoveMoney(request, walletId, 'credit', paiseOf(body.amount), body.reference))
  }

  @Post(':id/debits')
  @Roles('service', 'support', 'admin')
  @OwnedBy(AnyWallet)
  @Idempotent('required')
  @ApiCreatedResponse({ type: EntryAnswer })
  debit(@Param('id') walletId: string, @Body() body: DebitDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(
      new MoveMoney(request, walletId, body.cash === true ? 'cash-out' : 'debit', paiseOf(body.amount), body.reference),
    )
  }

  /** Without it the lower transfer limit holds. */
  @Put(':id/beneficiaries/:walletId')
  @Roles('customer')
  @OwnedBy(WalletOwner)
  @ApiOkResponse({ type: BeneficiaryAnswer })
  @ApiCreatedResponse({ type: BeneficiaryAnswer })
  registerBeneficiary(
    @Param('id') id: string,
    @Param('walletId') beneficiaryId: string,
    @Body() _body: NothingDto,
    @HttpCommand() request: CommandRequest,
  ): Promise<RecordedAnswer> {
    return this.bus.execute(new RegisterBeneficiary(request, id, beneficiaryId))
  }

  /** Nothing new goes out; credits, and capture and release of open holds, go on. */
  @Post(':id/freeze')
  @HttpCode(200)
  @Roles('support', 'risk', 'admin')
  @OwnedBy(AnyWallet)
  @ApiOkResponse({ type: WalletAnswer })
  freeze(@Param('id') walletId: string, @Body() body: ReasonDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new GovernWallet(request, walletId, { type: 'freeze' }, body.reason))
  }

  @Post(':id/unfreeze')
  @HttpCode(200)
  @Roles('support', 'risk', 'admin')
  @OwnedBy(AnyWallet)
  @ApiOkResponse({ type: WalletAnswer })
  unfreeze(@Param('id') walletId: string, @Body() body: ReasonDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new GovernWallet(request, walletId, { type: 'unfreeze' }, body.reason))
  }

  @Post(':id/kyc')
  @HttpCode(200)
  @Roles('support', 'risk', 'admin')
  @OwnedBy(AnyWallet)
  @ApiOkResponse({ type: WalletAnswer })
  kyc(@Param('id') walletId: string, @Body() body: KycDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new GovernWallet(request, walletId, { type: 'change-kyc', kyc: body.kyc }, body.reason))
  }

  /** Pays what is left out to the owner's bank. With an open hold: 409. */
  @Post(':id/close')
  @HttpCode(200)
  @Roles('support', 'risk', 'admin')
  @OwnedBy(AnyWallet)
  @ApiOkResponse({ type: WalletAnswer })
  close(@Param('id') walletId: string, @Body() body: ReasonDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new CloseWallet(request, walletId, body.reason))
  }

  async #read(walletId: string, { version, at }: PastQuery, reply: FastifyReply): Promise<WalletAnswer> {
    if (version !== undefined && at !== undefined) throw invalidInput([{ pointer: '/at', detail: 'must not be given with version' }])
    const loaded =
      version !== undefined
        ? await this.reads.asOf(walletId, { version })
        : at !== undefined
          ? await this.reads.asOf(walletId, { time: Date.parse(at) })
          : await this.reads.now(walletId)
    void reply.header('etag', `"${loaded.version}"`)
    return walletView(walletId, loaded.version, loaded.state)
  }
}
