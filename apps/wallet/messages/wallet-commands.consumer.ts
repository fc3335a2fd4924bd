import type { IncomingMessage } from '#kernel'
import type { BatchHandler, Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { Controller, Inject } from '@nestjs/common'
import { WALLET_COMMANDS } from './wallet-commands.js'

/** The provider's token of `handleWalletCommands`. */
export const WALLET_COMMAND_HANDLER = Symbol('wallet command handler')

@Controller()
export class WalletCommandsConsumer {
  constructor(@Inject(WALLET_COMMAND_HANDLER) private readonly handle: BatchHandler) {}

  @BatchPattern(WALLET_COMMANDS)
  onCommands(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.handle(messages)
  }
}
