import { createService, openSubjectKeys, type ServiceParts } from '#service'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { invariants } from './invariants.js'
import { pgFoldedBooks } from './books/pg-folded-books.js'
import { TrialBalances } from './books/trial-balances.js'
import { ExpiryWorker } from './expiry/expiry-worker.js'
import { pgHoldExpiries } from './expiry/pg-hold-expiries.js'
import { publishWallet } from './publish.js'
import { Rules } from './rules.js'
import { streamTypes } from './streams.js'
import { limitRows, type WalletConfig } from './wallet.config.js'
import { WalletModule } from './wallet.module.js'

/** The wallet as a Nest application that does not listen. */
export const createWalletApp = (config: WalletConfig, parts: ServiceParts = {}): Promise<NestFastifyApplication> =>
  createService(
    {
      name: 'wallet',
      description: 'Wallets: credits, debits, holds, transfers, statements.',
      config,
      invariants,
      types: streamTypes,
      publish: publishWallet,
      module: ({ pool, store, clock, ids, random, lifecycle, transactions, report }) => {
        const rules = new Rules(limitRows(config), clock, ids)
        const balances = new TrialBalances(store, pgFoldedBooks(pool), clock)
        const expiries = pgHoldExpiries(pool)
        lifecycle.works(
          new ExpiryWorker({ expiries, commands: store, rules, clock, random, poll_ms: config.HOLD_EXPIRY_POLL_MS, onError: report }),
        )
        const subjectKeys = openSubjectKeys('wallet', config, { clock, lifecycle })
        return WalletModule.with({ store, rules, subjectKeys, expiries, balances, clock, transactions })
      },
    },
    parts,
  )
