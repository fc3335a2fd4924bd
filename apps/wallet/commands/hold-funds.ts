import { paise, type Paise, type Transaction } from '#kernel'
import { hasRole, HttpCommands, invalidInput, type CallerIdentity, type CommandRequest, type RecordedAnswer } from '#platform'
import { findHold, type WalletEvent } from '#wallet'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { HOLD_EXPIRIES, type HoldExpiries } from '../expiry/hold-expiries.js'
import { Rules } from '../rules.js'
import { holdView } from '../view.js'
import { changeWallet, type Outcome } from './write.js'

const LONGEST_HOLD_MS = 90 * 86_400_000

export class HoldMoney extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly amount: Paise,
    readonly reference: string,
    readonly expiresAt_ms: number | undefined,
  ) {
    super()
  }
}

/** The hold and its timer commit together: there is never a hold that nobody releases, nor a timer of a hold that was refused or repeated. */
@CommandHandler(HoldMoney)
export class HoldMoneyHandler implements ICommandHandler<HoldMoney> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
    @Inject(HOLD_EXPIRIES) private readonly expiries: HoldExpiries,
  ) {}

  async execute({ request, walletId, amount, reference, expiresAt_ms }: HoldMoney): Promise<RecordedAnswer> {
    const holdId = this.rules.ids.next()
    const expiry = expiresAt_ms === undefined ? {} : { expiresAt_ms }
    const at_ms = this.rules.clock.now()
    const possible = expiresAt_ms === undefined || (expiresAt_ms > at_ms && expiresAt_ms <= at_ms + LONGEST_HOLD_MS)
    return changeWallet(this.http, this.rules, request, {
      walletId,
      command: {
        type: 'hold',
        at_ms,
        holdId,
        amount,
        reference,
        madeBy: `sub:${request.caller.sub}`,
        ...expiry,
      },
      status: 201,
      check: () => {
        if (!possible) throw invalidInput([{ pointer: '/expiresAt', detail: 'must be in the future, and at most 90 days away' }])
      },
      answer: () => ({
        body: holdView(walletId, { holdId, amount, reference, ...expiry }, 'OPEN'),
        location: `/v1/wallets/${walletId}/holds/${holdId}`,
      }),
      ...(expiresAt_ms !== undefined && { alongside: (tx: Transaction) => this.expiries.add({ walletId, holdId, expiresAt_ms }, tx) }),
    })
  }
}

export class CaptureMoney extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly holdId: string,
    readonly amount: Paise | undefined,
  ) {
    super()
  }
}

@CommandHandler(CaptureMoney)
export class CaptureMoneyHandler implements ICommandHandler<CaptureMoney> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
  ) {}

  execute({ request, walletId, holdId, amount }: CaptureMoney): Promise<RecordedAnswer> {
    return changeWallet(this.http, this.rules, request, {
      walletId,
      command: {
        type: 'capture',
        at_ms: this.rules.clock.now(),
        holdId,
        by: enderOf(request.caller),
        ...(amount === undefined ? {} : { amount }),
      },
      status: 200,
      answer: (outcome) => ({ body: endedView(walletId, holdId, outcome) }),
    })
  }
}

export class ReleaseMoney extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly walletId: string,
    readonly holdId: string,
  ) {
    super()
  }
}

@CommandHandler(ReleaseMoney)
export class ReleaseMoneyHandler implements ICommandHandler<ReleaseMoney> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(Rules) private readonly rules: Rules,
  ) {}

  execute({ request, walletId, holdId }: ReleaseMoney): Promise<RecordedAnswer> {
    return changeWallet(this.http, this.rules, request, {
      walletId,
      command: { type: 'release', at_ms: this.rules.clock.now(), holdId, by: enderOf(request.caller) },
      status: 200,
      answer: (outcome) => ({ body: endedView(walletId, holdId, outcome) }),
    })
  }
}

const enderOf = (caller: CallerIdentity): 'admin' | `sub:${string}` => (hasRole(caller, 'admin') ? 'admin' : `sub:${caller.sub}`)

const endedView = (walletId: string, holdId: string, { before, events }: Outcome) => {
  const hold = findHold(before.holds, holdId)
  if (!hold) throw new Error('a hold that was not open was ended')
  const captured = events.map(capturedBy).find((amount) => amount !== undefined)
  return captured === undefined ? holdView(walletId, hold, 'RELEASED') : holdView(walletId, hold, 'CAPTURED', captured)
}

const capturedBy = (event: WalletEvent): Paise | undefined => (event.type === 'HoldCaptured' ? paise(event.data.amount) : undefined)
