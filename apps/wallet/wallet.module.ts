import type { Clock, Transactions } from '#kernel'
import type { Commands, Events, SubjectKeys } from '#event-store'
import { HttpCommands } from '#platform'
import { type DynamicModule, Module } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { TrialBalances } from './books/trial-balances.js'
import { CloseWalletHandler, GovernWalletHandler, RegisterBeneficiaryHandler } from './commands/govern-wallet.js'
import { CaptureMoneyHandler, HoldMoneyHandler, ReleaseMoneyHandler } from './commands/hold-funds.js'
import { LoadWalletHandler } from './commands/load-wallet.js'
import { MoveMoneyHandler, TransferMoneyHandler } from './commands/move-money.js'
import { OpenWalletHandler } from './commands/open-wallet.js'
import { OwnerWords } from './commands/owner-words.js'
import { HOLD_EXPIRIES, type HoldExpiries } from './expiry/hold-expiries.js'
import { BooksController } from './http/books.controller.js'
import { HoldsController, TransfersController } from './http/holds.controller.js'
import { LoadsController } from './http/loads.controller.js'
import { AnyWallet, HoldEnder, WalletHolder, WalletOwner, WalletParty, WalletReader } from './http/ownership.js'
import { RecordsController } from './http/records.controller.js'
import { WalletsController } from './http/wallets.controller.js'
import { WALLET_COMMAND_HANDLER, WalletCommandsConsumer } from './messages/wallet-commands.consumer.js'
import { handleWalletCommands } from './messages/wallet-commands.js'
import { WalletReads } from './reads.js'
import { Rules } from './rules.js'
import { SUBJECT_KEYS } from './tokens.js'

/** What the app stands on. */
export interface WalletParts {
  readonly store: Commands & Events & { readonly incarnation: string }
  readonly rules: Rules
  readonly subjectKeys: SubjectKeys
  readonly expiries: HoldExpiries
  readonly balances: TrialBalances
  readonly clock: Clock
  readonly transactions: Transactions
}

@Module({})
export class WalletModule {
  static with({ store, rules, subjectKeys, expiries, balances, clock, transactions }: WalletParts): DynamicModule {
    return {
      module: WalletModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        BooksController,
        WalletsController,
        LoadsController,
        HoldsController,
        TransfersController,
        RecordsController,
        WalletCommandsConsumer,
      ],
      providers: [
        { provide: HttpCommands, useValue: new HttpCommands(store, clock, transactions) },
        { provide: Rules, useValue: rules },
        { provide: SUBJECT_KEYS, useValue: subjectKeys },
        { provide: WalletReads, useValue: new WalletReads(store) },
        { provide: TrialBalances, useValue: balances },
        { provide: HOLD_EXPIRIES, useValue: expiries },
        { provide: WALLET_COMMAND_HANDLER, useValue: handleWalletCommands(store, rules) },
        WalletReader,
        WalletHolder,
        HoldEnder,
        WalletParty,
        WalletOwner,
        AnyWallet,
        OwnerWords,
        OpenWalletHandler,
        MoveMoneyHandler,
        TransferMoneyHandler,
        LoadWalletHandler,
        HoldMoneyHandler,
        CaptureMoneyHandler,
        ReleaseMoneyHandler,
        GovernWalletHandler,
        CloseWalletHandler,
        RegisterBeneficiaryHandler,
      ],
    }
  }
}
