import { isRefusal } from '#kernel'
import { HttpCommands, type CommandRequest, type RecordedAnswer } from '#platform'
import { evolve, ownerDecider, type Kyc } from '#wallet'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { Rules } from '../rules.js'
import { ownerRef, walletRef } from '../streams.js'
import { walletView } from '../view.js'
import { WalletReads } from '../reads.js'
import { OwnerWords } from './owner-words.js'
import { changeWallet, overHttp } from './write.js'

export type Government = { readonly type: 'freeze' | 'unfreeze' } | { readonly type: 'change-kyc'; readonly kyc: Kyc }

export class GovernWallet extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly change: Government,
    readonly reason: string,
  ) {
    super()
  }
}

@CommandHandler(GovernWallet)
export class GovernWalletHandler implements ICommandHandler<GovernWallet> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
    @Inject(WalletReads) private readonly reads: WalletReads,
    @Inject(OwnerWords) private readonly words: OwnerWords,
  ) {}

  async execute({ request, walletId, change, reason }: GovernWallet): Promise<RecordedAnswer> {
    // A wallet's owner never changes, so it may be read before the command decides.
    const { state } = await this.reads.now(walletId)
    return changeWallet(this.http, this.rules, request, {
      walletId,
      command: { ...change, at_ms: this.rules.clock.now() },
      status: 200,
      reason: await this.words.sealed(state.ownerId, reason),
      answer: ({ after, version }) => ({ body: walletView(walletId, version, after) }),
    })
  }
}

export class CloseWallet extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly reason: string,
  ) {
    super()
  }
}

/** Closes the wallet and gives its owner's place free, together. */
@CommandHandler(CloseWallet)
export class CloseWalletHandler implements ICommandHandler<CloseWallet> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
    @Inject(WalletReads) private readonly reads: WalletReads,
    @Inject(OwnerWords) private readonly words: OwnerWords,
  ) {}

  async execute({ request, walletId, reason }: CloseWallet): Promise<RecordedAnswer> {
    const at_ms = this.rules.clock.now()
    const payoutId = this.rules.ids.next()
    // A wallet's owner never changes, so it may be read before the command decides.
    const { state } = await this.reads.now(walletId)
    const sealed = await this.words.sealed(state.ownerId, reason)
    const owner = ownerRef(state.ownerId)
    const wallet = walletRef(walletId)
    return this.http.execute(request, {
      streams: [owner, wallet],
      target: wallet,
      status: 200,
      ...(sealed && { reason: sealed }),
      decide: (states) => {
        const before = states.of(wallet)
        const closed = this.rules.wallet.decide({ type: 'close', at_ms, payoutId }, before.state)
        if (isRefusal(closed)) return overHttp(closed)
        const givenUp = ownerDecider.decide({ type: 'give-up', walletId, at_ms }, states.of(owner).state)
        if (isRefusal(givenUp)) return givenUp
        return {
          appends: [
            { stream: wallet, events: closed },
            { stream: owner, events: givenUp },
          ],
          body: walletView(walletId, before.version + closed.length, closed.reduce(evolve, before.state)),
        }
      },
    })
  }
}

export class RegisterBeneficiary extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly beneficiaryId: string,
  ) {
    super()
  }
}

@CommandHandler(RegisterBeneficiary)
export class RegisterBeneficiaryHandler implements ICommandHandler<RegisterBeneficiary> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
    @Inject(WalletReads) private readonly reads: WalletReads,
  ) {}

  async execute({ request, walletId, beneficiaryId }: RegisterBeneficiary): Promise<RecordedAnswer> {
    // Wallets are never taken back, so that one is there may be read before the command decides.
    await this.reads.now(beneficiaryId)
    return changeWallet(this.http, this.rules, request, {
      walletId,
      command: { type: 'register-beneficiary', at_ms: this.rules.clock.now(), walletId: beneficiaryId },
      status: 200,
      answer: ({ events }) => ({
        body: { walletId, beneficiary: { walletId: beneficiaryId } },
        ...(events.length > 0 ? { status: 201, location: `/v1/wallets/${walletId}/beneficiaries/${beneficiaryId}` } : { status: 200 }),
      }),
    })
  }
}
