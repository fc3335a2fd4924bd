import { isRefusal } from '#kernel'
import { HttpCommands, type CommandRequest, type RecordedAnswer } from '#platform'
import { evolve, ownerDecider, type Kyc } from '#wallet'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { Rules } from '../rules.js'
import { freshWalletRef, ownerRef } from '../streams.js'
import { walletView } from '../view.js'

export class OpenWallet extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly ownerId: string,
    readonly kyc: Kyc,
  ) {
    super()
  }
}

/** The wallet and its owner's stream in one append: of two openings at once, one is refused. */
@CommandHandler(OpenWallet)
export class OpenWalletHandler implements ICommandHandler<OpenWallet> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
  ) {}

  execute({ request, ownerId, kyc }: OpenWallet): Promise<RecordedAnswer> {
    const walletId = this.rules.ids.next()
    const at_ms = this.rules.clock.now()
    const owner = ownerRef(ownerId)
    const wallet = freshWalletRef(walletId)
    return this.http.execute(request, {
      streams: [owner, wallet],
      target: wallet,
      status: 201,
      decide: (states) => {
        const assigned = ownerDecider.decide({ type: 'assign', walletId, at_ms }, states.of(owner).state)
        if (isRefusal(assigned)) return assigned
        const { state } = states.of(wallet)
        const opened = this.rules.wallet.decide({ type: 'open', at_ms, ownerId, kyc }, state)
        if (isRefusal(opened)) return opened
        return {
          appends: [
            { stream: owner, events: assigned },
            { stream: wallet, events: opened },
          ],
          body: walletView(walletId, opened.length, opened.reduce(evolve, state)),
          location: `/v1/wallets/${walletId}`,
        }
      },
    })
  }
}
