import { isRefusal, type Paise } from '#kernel'
import { HttpCommands, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { decideTransfer } from '#wallet'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { Rules } from '../rules.js'
import { walletRef } from '../streams.js'
import { money, walletView } from '../view.js'
import { changeWallet } from './write.js'

/** Where the statement's line is that made this version. */
const entryPath = (walletId: string, version: number): string => `/v1/wallets/${walletId}/entries/${version}`

export class MoveMoney extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly way: 'credit' | 'debit' | 'cash-out',
    readonly amount: Paise,
    readonly reference: string,
  ) {
    super()
  }
}

@CommandHandler(MoveMoney)
export class MoveMoneyHandler implements ICommandHandler<MoveMoney> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
  ) {}

  execute({ request, walletId, way, amount, reference }: MoveMoney): Promise<RecordedAnswer> {
    const entryId = this.rules.ids.next()
    return changeWallet(this.http, this.rules, request, {
      walletId,
      command: { type: way, at_ms: this.rules.clock.now(), entryId, amount, reference },
      status: 201,
      answer: ({ after, version }) => ({
        body: { entryId, wallet: walletView(walletId, version, after) },
        location: entryPath(walletId, version),
      }),
    })
  }
}

export class TransferMoney extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly fromWalletId: string,
    readonly toWalletId: string,
    readonly amount: Paise,
    readonly reference: string,
  ) {
    super()
  }
}

/** Both sides in one append. Of the receiving wallet the answer says nothing: it is somebody else's. */
@CommandHandler(TransferMoney)
export class TransferMoneyHandler implements ICommandHandler<TransferMoney> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
  ) {}

  execute({ request, fromWalletId, toWalletId, amount, reference }: TransferMoney): Promise<RecordedAnswer> {
    const transferId = this.rules.ids.next()
    const transfer = { at_ms: this.rules.clock.now(), transferId, fromWalletId, toWalletId, amount, reference }
    const [from, to] = [walletRef(fromWalletId), walletRef(toWalletId)]
    return this.http.execute(request, {
      // No target: two wallets change, and a version checked before the owner would tell a stranger of a wallet.
      streams: [from, to],
      status: 201,
      correlationId: transferId,
      decide: (states) => {
        if (states.of(from).state.ownerId !== request.caller.sub) throw notFound('wallet')
        const sides = decideTransfer(transfer, states.of(from).state, states.of(to).state, this.rules.limitsAt)
        if (isRefusal(sides)) return sides
        return {
          appends: [
            { stream: from, events: sides.out },
            { stream: to, events: sides.in },
          ],
          location: entryPath(fromWalletId, states.of(from).version + sides.out.length),
          body: { transferId, status: 'COMPLETED', fromWalletId, toWalletId, amount: money(amount), reference },
        }
      },
    })
  }
}
