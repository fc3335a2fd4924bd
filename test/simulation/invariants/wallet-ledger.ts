import type { JsonObject } from '#kernel'
import { Violation } from '../violation.js'
import type { SeenEvent } from './tail.js'

interface Account {
  balance: bigint
  held: bigint
  credited: bigint
  captured: bigint
  refunded: bigint
  transferred: bigint
  readonly holds: Map<string, bigint>
}

export interface HoldSeen {
  readonly status: 'open' | 'captured' | 'released'
  readonly amount: bigint
}

export interface LoadSeen {
  readonly status: 'open' | 'credited' | 'failed'
  readonly amount: bigint
}

/** The wallets by double entry, kept apart from the wallet's own arithmetic: invariants 1 and 2. */
export class WalletLedger {
  /** By hold id: the saga's. */
  readonly holds = new Map<string, HoldSeen>()
  /** By reference: the order. */
  readonly capturedOf = new Map<string, bigint>()
  readonly refundedOf = new Map<string, bigint>()
  /** By load id. */
  readonly loads = new Map<string, LoadSeen>()
  readonly #accounts = new Map<string, Account>()
  readonly #transfers = new Map<string, bigint>()

  /** One event of a `wallet-` stream. */
  take({ stream, type, data }: SeenEvent): void {
    const account = this.#accountOf(stream)
    const amount = BigInt(text(data, 'amount', '0'))
    switch (type) {
      case 'Credited':
        account.credited += amount
        account.balance += amount
        break
      case 'LoadRequested':
        this.loads.set(text(data, 'loadId'), { status: 'open', amount })
        break
      case 'LoadCredited':
        this.#endLoad(text(data, 'loadId'), 'credited', amount)
        account.credited += amount
        account.balance += amount
        break
      case 'LoadFailed':
        this.#endLoad(text(data, 'loadId'), 'failed', amount)
        break
      case 'Refunded':
        account.refunded += amount
        account.balance += amount
        this.#refund(text(data, 'reference'), amount)
        break
      case 'FundsHeld':
        this.#hold(account, text(data, 'holdId'), amount)
        break
      case 'HoldCaptured': {
        const held = this.#close(account, text(data, 'holdId'), 'captured', amount)
        if (amount + BigInt(text(data, 'released', '0')) !== held)
          throw new Violation(1, `${stream}: a capture does not add up to its hold`)
        account.balance -= amount
        account.captured += amount
        add(this.capturedOf, text(data, 'reference'), amount)
        break
      }
      case 'HoldReleased':
        this.#close(account, text(data, 'holdId'), 'released', amount)
        break
      case 'HoldBarred':
        this.holds.set(text(data, 'holdId'), { status: 'released', amount: 0n })
        break
      case 'TransferredOut':
        account.balance -= amount
        account.transferred -= amount
        add(this.#transfers, text(data, 'transferId'), -amount)
        break
      case 'TransferredIn':
        account.balance += amount
        account.transferred += amount
        add(this.#transfers, text(data, 'transferId'), amount)
        break
    }
    if (BigInt(text(data, 'balance')) !== account.balance || BigInt(text(data, 'held')) !== account.held)
      throw new Violation(
        2,
        `${stream} says ${text(data, 'balance')}/${text(data, 'held')}, its events add up to ${account.balance}/${account.held}`,
      )
    if (account.held < 0n || account.balance - account.held < 0n)
      throw new Violation(1, `${stream}: balance ${account.balance}, held ${account.held}`)
  }

  /** Between commits: no transfer has one side only. */
  check(): void {
    for (const [transferId, sum] of this.#transfers) {
      if (sum !== 0n) throw new Violation(1, `transfer ${transferId}: debits and credits differ by ${sum}`)
    }
    this.#transfers.clear()
  }

  /** Nothing held for nobody, and money only where it came from. */
  checkEnd(): void {
    for (const [stream, { balance, held, credited, captured, refunded, transferred }] of this.#accounts) {
      if (held !== 0n) throw new Violation(4, `${stream}: ${held} is held for no running order`)
      if (balance !== credited - captured + refunded + transferred) throw new Violation(1, `${stream}: ${balance} does not add up`)
    }
  }

  #endLoad(loadId: string, status: 'credited' | 'failed', amount: bigint): void {
    const load = this.loads.get(loadId)
    if (load?.status !== 'open' || load.amount !== amount)
      throw new Violation(5, `load ${loadId} of ${load?.amount} is ${load?.status} and was ${status} with ${amount}`)
    this.loads.set(loadId, { status, amount })
  }

  #hold(account: Account, holdId: string, amount: bigint): void {
    if (this.holds.has(holdId)) throw new Violation(5, `hold ${holdId} was made twice`)
    this.holds.set(holdId, { status: 'open', amount })
    account.holds.set(holdId, amount)
    account.held += amount
  }

  #close(account: Account, holdId: string, status: 'captured' | 'released', amount: bigint): bigint {
    const held = account.holds.get(holdId)
    if (held === undefined) throw new Violation(5, `hold ${holdId} is not open and was ${status}`)
    account.holds.delete(holdId)
    account.held -= held
    this.holds.set(holdId, { status, amount })
    return held
  }

  #refund(reference: string, amount: bigint): void {
    add(this.refundedOf, reference, amount)
    if ((this.refundedOf.get(reference) ?? 0n) > (this.capturedOf.get(reference) ?? 0n))
      throw new Violation(4, `order ${reference}: ${this.refundedOf.get(reference)} refunded of ${this.capturedOf.get(reference)} captured`)
  }

  #accountOf(stream: string): Account {
    let account = this.#accounts.get(stream)
    if (!account) {
      account = { balance: 0n, held: 0n, credited: 0n, captured: 0n, refunded: 0n, transferred: 0n, holds: new Map() }
      this.#accounts.set(stream, account)
    }
    return account
  }
}

const add = (sums: Map<string, bigint>, name: string, amount: bigint): void => void sums.set(name, (sums.get(name) ?? 0n) + amount)

export const text = (data: JsonObject, name: string, otherwise?: string): string => {
  const value = data[name] ?? otherwise
  if (value === undefined) throw new TypeError(`no ${name}`)
  return String(value)
}
