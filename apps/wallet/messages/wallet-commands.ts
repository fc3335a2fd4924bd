import { CaptureHold, CreditLoad, FailLoad, HoldFunds, RedirectLoad, RefundToWallet, ReleaseHold, WALLET_COMMANDS } from '#contracts'
import type { Commands } from '#event-store'
import { isRefusal, paise, type IncomingMessage } from '#kernel'
import type { BatchHandler } from '#messaging'
import { answering, UnknownCommand, type Asked } from '#service'
import type { WalletCommand } from '#wallet'
import type { Rules } from '../rules.js'
import { walletRef } from '../streams.js'

export { WALLET_COMMANDS }

/** The wallet's side of a saga's conversation. */
export const handleWalletCommands = (commands: Pick<Commands, 'executeAll'>, rules: Rules): BatchHandler =>
  answering(commands, (message) => understand(message, rules))

const understand = ({ type, topic, data }: IncomingMessage, rules: Rules): Asked => {
  const at_ms = rules.clock.now()
  switch (type) {
    case HoldFunds.type: {
      const { replyTo, walletId, holdId, customerId, amount, reference } = HoldFunds.parse(data)
      const own = { holdId, customerId, amount: paise(amount), reference, madeBy: `saga:${replyTo}` } as const
      return asking(rules, replyTo, walletId, { type: 'hold', at_ms, ...own })
    }
    case CaptureHold.type: {
      const { replyTo, walletId, holdId, reference } = CaptureHold.parse(data)
      return asking(rules, replyTo, walletId, { type: 'capture', at_ms, holdId, reference, by: `saga:${replyTo}` })
    }
    case ReleaseHold.type: {
      const { replyTo, walletId, holdId } = ReleaseHold.parse(data)
      return asking(rules, replyTo, walletId, { type: 'release', at_ms, holdId, by: `saga:${replyTo}` })
    }
    case RefundToWallet.type: {
      const { replyTo, walletId, amount, reference } = RefundToWallet.parse(data)
      const own = { entryId: rules.ids.next(), payoutId: rules.ids.next(), amount: paise(amount), reference }
      return asking(rules, replyTo, walletId, { type: 'refund', at_ms, ...own })
    }
    case RedirectLoad.type: {
      const { replyTo, walletId, loadId, next } = RedirectLoad.parse(data)
      return asking(rules, replyTo, walletId, { type: 'redirect-load', at_ms, loadId, next })
    }
    case CreditLoad.type: {
      const { replyTo, walletId, loadId } = CreditLoad.parse(data)
      return asking(rules, replyTo, walletId, { type: 'credit-load', at_ms, loadId })
    }
    case FailLoad.type: {
      const { replyTo, walletId, loadId, reason } = FailLoad.parse(data)
      return asking(rules, replyTo, walletId, { type: 'fail-load', at_ms, loadId, reason })
    }
    default:
      throw new UnknownCommand(type, topic)
  }
}

const asking = (rules: Rules, replyTo: string, walletId: string, command: WalletCommand): Asked => {
  const wallet = walletRef(walletId)
  return {
    replyTo,
    streams: [wallet],
    decide: (states) => {
      const decided = rules.wallet.decide(command, states.of(wallet).state)
      return isRefusal(decided) ? decided : { appends: [{ stream: wallet, events: decided }] }
    },
  }
}
