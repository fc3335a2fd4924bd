import { isRefusal, paise, type IncomingMessage, type MessageContext, type Refusal } from '#kernel'
import { CaptureHold, CommandAnswered, HoldFunds, RefundToWallet, ReleaseHold, WALLET_COMMANDS, type CommandAnsweredData } from '#contracts'
import type { Answered, Command, Commands } from '#event-store'
import type { BatchHandler } from '#messaging'
import { fingerprint } from '#platform'
import type { WalletCommand } from '#wallet'
import type { Rules } from '../rules.js'
import { walletRef } from '../streams.js'

export { WALLET_COMMANDS }

/** A command message, understood. */
interface Asked {
  readonly message: IncomingMessage
  readonly walletId: string
  readonly replyTo: string
  readonly command: WalletCommand
}

/**
 * The wallet's side of a saga's conversation. All commands of a batch are decided and written in the consumer's transaction, each with its
 * one answer. A command that comes again was answered already: the same answer is sent once more, as the first may be what got lost.
 */
export const handleWalletCommands =
  (commands: Commands, rules: Rules): BatchHandler =>
  (messages) => {
    const asked = messages.flatMap((message) => understand(message, rules))
    return Promise.resolve(async (tx) => {
      const answers = await commands.executeAll(
        asked.map((each) => commandOf(each, rules)),
        tx,
      )
      const again = asked.flatMap((each, index) => answerAgain(each, answers[index]))
      if (again.length > 0) await commands.executeAll(again, tx)
    })
  }

/** Throws `ContractViolation` for a message that does not keep its contract; one of a type that is not known here is passed over. */
const understand = (message: IncomingMessage, rules: Rules): readonly Asked[] => {
  const at_ms = rules.clock.now()
  switch (message.type) {
    case HoldFunds.type: {
      const { replyTo, walletId, holdId, customerId, amount, reference } = HoldFunds.parse(message.data)
      const own = { holdId, customerId, amount: paise(amount), reference, madeBy: `saga:${replyTo}` } as const
      return [{ message, walletId, replyTo, command: { type: 'hold', at_ms, ...own } }]
    }
    case CaptureHold.type: {
      const { replyTo, walletId, holdId, reference } = CaptureHold.parse(message.data)
      return [{ message, walletId, replyTo, command: { type: 'capture', at_ms, holdId, reference, by: `saga:${replyTo}` } }]
    }
    case ReleaseHold.type: {
      const { replyTo, walletId, holdId } = ReleaseHold.parse(message.data)
      return [{ message, walletId, replyTo, command: { type: 'release', at_ms, holdId, by: `saga:${replyTo}` } }]
    }
    case RefundToWallet.type: {
      const { replyTo, walletId, amount, reference } = RefundToWallet.parse(message.data)
      const own = { entryId: rules.ids.next(), payoutId: rules.ids.next(), amount: paise(amount), reference }
      return [{ message, walletId, replyTo, command: { type: 'refund', at_ms, ...own } }]
    }
    default:
      return []
  }
}

const contextOf = ({ id, context }: IncomingMessage): MessageContext => ({ ...context, causationId: id })

const commandOf = (asked: Asked, rules: Rules): Command => {
  const { message, walletId, command } = asked
  const wallet = walletRef(walletId)
  return {
    id: message.id,
    fingerprint: fingerprint({ type: message.type, data: message.data }),
    streams: [wallet],
    metadata: { ...contextOf(message), actor: `app:${message.source}`, reason: message.type },
    decide: (states) => {
      const decided = rules.wallet.decide(command, states.of(wallet).state)
      const answer = answerOf(asked, isRefusal(decided) ? decided : undefined)
      return {
        appends: isRefusal(decided) ? [] : [{ stream: wallet, events: decided }],
        messages: [CommandAnswered.message(asked.replyTo, answer, contextOf(message))],
        answer: JSON.stringify(answer),
      }
    },
  }
}

const answerOf = ({ message, replyTo }: Asked, refusal: Refusal | undefined): CommandAnsweredData => ({
  replyTo,
  commandId: message.id,
  command: message.type,
  outcome: refusal ? 'refused' : 'accepted',
  ...(refusal && { slug: refusal.slug, detail: refusal.detail }),
})

/** A command of its own that only carries the answer: one for each time that the message came. */
const answerAgain = ({ message, replyTo }: Asked, answered: Answered | undefined): readonly Command[] => {
  if (!answered?.replayed) return []
  const { incarnation, position, ordinal } = message.origin
  return [
    {
      id: `${message.id}#again-${incarnation}/${position}/${ordinal}`,
      fingerprint: 'again',
      streams: [],
      metadata: { ...contextOf(message), actor: `app:${message.source}` },
      decide: () => ({
        appends: [],
        messages: [CommandAnswered.message(replyTo, CommandAnswered.parse(JSON.parse(answered.answer)), contextOf(message))],
        answer: answered.answer,
      }),
    },
  ]
}
