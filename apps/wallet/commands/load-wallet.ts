import { SubjectErased, type SubjectKey, type SubjectKeys } from '#event-store'
import type { Paise } from '#kernel'
import { sealPayment, type ProviderPayment } from '#payment-http'
import { HttpCommands, Problem, type CommandRequest, type RecordedAnswer } from '#platform'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { Rules } from '../rules.js'
import { SUBJECT_KEYS } from '../tokens.js'
import { loadView } from '../view.js'
import { changeWallet } from './write.js'

export class LoadWallet extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly amount: Paise,
    readonly payment: ProviderPayment,
  ) {
    super()
  }
}

/**
 * Takes a load in hand: the limits are asked now, before anything is paid. payment-saga hears of it by `LoadRequested`, and says how it ended
 * by a command. The instrument is sealed before it is part of anything that is kept.
 */
@CommandHandler(LoadWallet)
export class LoadWalletHandler implements ICommandHandler<LoadWallet> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
    @Inject(SUBJECT_KEYS) private readonly subjectKeys: Pick<SubjectKeys, 'forSubject'>,
  ) {}

  async execute({ request, walletId, amount, payment }: LoadWallet): Promise<RecordedAnswer> {
    const loadId = this.rules.ids.next()
    const at_ms = this.rules.clock.now()
    const sealed = sealPayment(await this.#keyOf(request.caller.sub), payment)
    return changeWallet(this.http, this.rules, request, {
      walletId,
      command: { type: 'request-load', at_ms, loadId, amount, payment: sealed },
      status: 202,
      correlationId: loadId,
      answer: () => ({
        body: loadView({ loadId, walletId, amount, payment: sealed, status: 'PENDING', requestedAt_ms: at_ms, updatedAt_ms: at_ms }),
        location: `/v1/wallets/${walletId}/loads/${loadId}`,
      }),
    })
  }

  async #keyOf(ownerId: string): Promise<SubjectKey> {
    try {
      return await this.subjectKeys.forSubject(ownerId)
    } catch (error) {
      if (!(error instanceof SubjectErased)) throw error
      throw new Problem(403, 'account-erased', `The account's personal data was erased: it loads no wallet.`)
    }
  }
}
