import type { SealedText } from '#event-store'
import { isRefusal, refuse, type Refusal, type Transaction } from '#kernel'
import { notFound, type CommandRequest, type HttpCommands, type HttpDecision, type RecordedAnswer } from '#platform'
import { evolve, type WalletCommand, type WalletEvent, type WalletState } from '#wallet'
import { notHoldMaker } from '../http/ownership.js'
import type { Rules } from '../rules.js'
import { walletRef } from '../streams.js'

/** A wallet after a command, with what it was before and what happened. */
export interface Outcome {
  readonly before: WalletState
  readonly after: WalletState
  readonly version: number
  readonly events: readonly WalletEvent[]
}

export interface WalletChange {
  readonly walletId: string
  readonly command: WalletCommand
  readonly status: number
  readonly reason?: SealedText | undefined
  /** Of the business that begins with it; the command's own id unless given. */
  readonly correlationId?: string
  /** Throws a `Problem` where what was asked makes no sense now; not asked of a repeat, which gets its first answer. */
  check?(): void
  answer(outcome: Outcome): Pick<HttpDecision, 'body' | 'location' | 'status'>
  /** Rows that commit with the events of an accepted command; not called for a refusal, nor for a repeat. */
  alongside?(tx: Transaction): Promise<void>
}

/** One command on one wallet, by HTTP. */
export const changeWallet = (
  http: HttpCommands,
  rules: Rules,
  request: CommandRequest,
  { walletId, command, status, reason, correlationId, check, answer, alongside }: WalletChange,
): Promise<RecordedAnswer> => {
  const wallet = walletRef(walletId)
  // Of the last decision, which is the one that counts: a conflict decides again.
  let accepted = false
  return http.execute(request, {
    streams: [wallet],
    target: wallet,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(alongside && { alongside: (tx: Transaction) => (accepted ? alongside(tx) : Promise.resolve()) }),
    decide: (states) => {
      check?.()
      const { state, version } = states.of(wallet)
      const decided = rules.wallet.decide(command, state)
      accepted = !isRefusal(decided)
      if (isRefusal(decided)) return overHttp(decided)
      const outcome = { before: state, after: decided.reduce(evolve, state), version: version + decided.length, events: decided }
      return { appends: [{ stream: wallet, events: decided }], ...answer(outcome) }
    },
  })
}

/** What is not there or not the caller's is no decision of the wallet's: thrown, so that nothing is kept. */
export const overHttp = (refusal: Refusal): Refusal => {
  switch (refusal.slug) {
    case 'unknown-wallet':
      throw notFound('wallet')
    case 'unknown-hold':
      // The guard found it, in the stream if not in the state: it ended so long ago that the state has forgotten it.
      return refuse('hold-not-open', 'the hold has ended')
    case 'not-hold-maker':
      throw notHoldMaker()
    default:
      return refusal
  }
}
