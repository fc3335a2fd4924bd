import { setTimeout as wait } from 'node:timers/promises'
import type { Issuer } from '../distributed/issuer.js'
import { replays } from './audit.js'
import type { Acknowledged, Shop } from './traffic.js'

interface Money {
  readonly amount: string
}
interface Line {
  readonly type: string
  readonly amount: Money
  readonly balance: Money
  readonly reference: string
}

/** What one wallet must be by the answers that were given, and by nothing else. */
interface Expected {
  balance: bigint
  version: number
  /** Made, and neither captured nor released by who made them. */
  readonly left: Set<string>
  /** Its statement's lines in any order: `debit 5 debits-17`. */
  readonly lines: string[]
}

export interface WalletCount {
  readonly accepted: number
  readonly refused: number
  readonly holds: number
  readonly expired: number
}

/** More than the longest hold, and the time that expired ones are looked for. */
const EXPIRY_TIMEOUT_MS = 30_000

/** Everything that must hold when the traffic has stopped: what does not, and how much there was. */
export const auditWallets = async (
  shop: Shop,
  issuer: Issuer,
): Promise<{ readonly findings: readonly string[]; readonly count: WalletCount }> => {
  const auditor = await issuer.tokenOf('auditor', 'auditor')
  const { wallets, count } = expectedOf(shop.acknowledged)
  const findings = [...shop.wrong]
  for (const [walletId, expected] of wallets) findings.push(...(await differences(shop, auditor, walletId, expected)))
  const total = [...wallets.values()].reduce((sum, { balance }) => sum + balance, 0n)
  findings.push(...(await books(shop, auditor, total)), ...(await replays(shop)))
  return { findings, count }
}

const expectedOf = (acknowledged: readonly Acknowledged[]): { wallets: ReadonlyMap<string, Expected>; count: WalletCount } => {
  const wallets = new Map<string, Expected>()
  const of = (walletId: string): Expected => {
    const known = wallets.get(walletId) ?? { balance: 0n, version: 1, left: new Set(), lines: [] }
    wallets.set(walletId, known)
    return known
  }
  const move = (walletId: string, type: string, paise: bigint, reference: string, sign: 1n | -1n): void => {
    const wallet = of(walletId)
    wallet.balance += sign * paise
    wallet.version++
    wallet.lines.push(`${type} ${paise} ${reference}`)
  }
  let [accepted, refused, holds] = [0, 0, 0]
  for (const { path, body, status, text } of acknowledged) {
    if (status >= 300) {
      refused++
      continue
    }
    accepted++
    const answer = JSON.parse(text) as { walletId: string; holdId: string; reference: string; captured?: Money }
    if (path === '/v1/wallets') {
      of(answer.walletId)
      continue
    }
    const asked = body as { fromWalletId: string; toWalletId: string; amount: Money; reference: string }
    if (path === '/v1/transfers') {
      const paise = BigInt(asked.amount.amount)
      move(asked.fromWalletId, 'transfer-out', paise, asked.reference, -1n)
      move(asked.toWalletId, 'transfer-in', paise, asked.reference, 1n)
      continue
    }
    const [, , , walletId = '', what, , end] = path.split('/')
    if (what === 'credits') move(walletId, 'credit', BigInt(asked.amount.amount), asked.reference, 1n)
    else if (what === 'debits') move(walletId, 'debit', BigInt(asked.amount.amount), asked.reference, -1n)
    else if (end === undefined) {
      holds++
      of(walletId).version++
      of(walletId).left.add(answer.holdId)
    } else {
      of(walletId).left.delete(answer.holdId)
      if (end === 'capture') move(walletId, 'capture', BigInt(answer.captured?.amount ?? -1), answer.reference, -1n)
      else of(walletId).version++
    }
  }
  const expired = [...wallets.values()].reduce((sum, { left }) => sum + left.size, 0)
  return { wallets, count: { accepted, refused, holds, expired } }
}

const differences = async (shop: Shop, auditor: string, walletId: string, expected: Expected): Promise<string[]> => {
  const path = `/v1/wallets/${walletId}`
  const read = () => shop.get<{ balance: Money; held: Money; version: number }>(path, auditor)
  const deadline = Date.now() + EXPIRY_TIMEOUT_MS
  let wallet = await read()
  while (wallet.held.amount !== '0' && Date.now() < deadline) {
    await wait(50)
    wallet = await read()
  }
  const findings: string[] = []
  const same = (what: string, is: unknown, shouldBe: unknown): void => {
    if (String(is) !== String(shouldBe)) findings.push(`${path}: ${what} is ${String(is)}, by what was acknowledged ${String(shouldBe)}`)
  }
  same('held', wallet.held.amount, 0)
  same('balance', wallet.balance.amount, expected.balance)
  // Each hold that nobody ended was released by its timer, once.
  same('version', wallet.version, expected.version + expected.left.size)
  for (const holdId of expected.left) {
    const { text } = await shop.call('GET', `${path}/holds/${holdId}`, auditor)
    same(`hold ${holdId}`, (JSON.parse(text) as { status: string }).status, 'RELEASED')
  }
  findings.push(...listed(path, await statement(shop, auditor, path), expected))
  const verified = await shop.get<{ ok: boolean; checkedEvents: number }>(`${path}/verify`, auditor)
  if (!verified.ok || verified.checkedEvents !== wallet.version) findings.push(`${path}: does not verify: ${JSON.stringify(verified)}`)
  return findings
}

const statement = async (shop: Shop, auditor: string, path: string): Promise<readonly Line[]> => {
  const lines: Line[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const after: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''
    const page: { items: readonly Line[]; nextCursor: string | null } = await shop.get(`${path}/statement?limit=100${after}`, auditor)
    lines.push(...page.items)
    cursor = page.nextCursor
  }
  return lines
}

/** Each acknowledged movement is there once, nothing else is, and each line's balance follows from the one before it. */
const listed = (path: string, lines: readonly Line[], expected: Expected): string[] => {
  const findings: string[] = []
  const missing = new Map<string, number>()
  for (const line of expected.lines) missing.set(line, (missing.get(line) ?? 0) + 1)
  let balance = 0n
  for (const line of lines) {
    const name = `${line.type} ${line.amount.amount} ${line.reference}`
    const times = (missing.get(name) ?? 0) - 1
    if (times < 0) findings.push(`${path}: ${name} was not acknowledged, or is there twice`)
    else if (times === 0) missing.delete(name)
    else missing.set(name, times)
    balance += ['credit', 'transfer-in'].includes(line.type) ? BigInt(line.amount.amount) : -BigInt(line.amount.amount)
    if (line.balance.amount !== String(balance))
      findings.push(`${path}: the balance after ${name} is ${line.balance.amount}, not ${balance}`)
  }
  return [...findings, ...[...missing.keys()].map((name) => `${path}: ${name} was acknowledged and is lost`)]
}

const books = async (shop: Shop, auditor: string, owed: bigint): Promise<string[]> => {
  const trial = await shop.get<{ total: Money; accounts: readonly { account: string; balance: Money }[] }>(
    '/v1/wallets/trial-balance',
    auditor,
  )
  const wallets = trial.accounts.find(({ account }) => account === 'wallets')?.balance.amount
  return trial.total.amount === '0' && wallets === String(owed) ? [] : [`the trial balance is not of ${owed}: ${JSON.stringify(trial)}`]
}
