import { describe, expect, it } from '@jest/globals'
import { isRefusal, paise, type Clock, type IncomingMessage, type JsonObject } from '#kernel'
import { countingIds, FakeClock, memoryTransactions } from '#kernel/testing'
import { ContractViolation, REPLIES, WALLET_EVENTS } from '#contracts'
import { memoryEventStore, type MemoryEventStore } from '#event-store/testing'
import { UnknownCommand } from '#service'
import { DEFAULT_LIMITS, type WalletCommand } from '#wallet'
import { ExpiryWorker } from '../expiry/expiry-worker.js'
import { memoryHoldExpiries } from '../expiry/testing/memory-hold-expiries.js'
import { publishWallet } from '../publish.js'
import { Rules } from '../rules.js'
import { streamTypes, walletRef } from '../streams.js'
import { handleWalletCommands } from './wallet-commands.js'

const SAGA = 'saga-1'

/** The production handler on in-memory ports. */
const start = () => {
  const clock = new FakeClock()
  const rules = new Rules(DEFAULT_LIMITS, clock, countingIds())
  const store: MemoryEventStore = memoryEventStore({ types: streamTypes, publish: publishWallet, clock, app: 'wallet' })
  const transactions = memoryTransactions()
  const handle = handleWalletCommands(store, rules)
  let offset = 0n
  const message = (id: string, type: string, data: JsonObject): IncomingMessage => ({
    topic: 'wallet.commands',
    partition: 0,
    offset: ++offset,
    key: 'w-1',
    id,
    type,
    schemaVersion: 1,
    source: 'payment-saga',
    origin: { incarnation: 'i', position: offset, ordinal: 0 },
    time: clock.now(),
    data: { replyTo: SAGA, walletId: 'w-1', ...data },
    context: { correlationId: 'o-1', causationId: 'c' },
  })
  const published = async (topic: string) =>
    (await store.outbox.after(0n, 1_000)).flatMap(({ messages }) => messages.filter((each) => each.topic === topic))
  return {
    store,
    clock,
    rules,
    message,
    published,
    receive: async (...messages: readonly IncomingMessage[]) => transactions.run(await handle(messages)),
    /** What was answered, in order: `h1 accepted`, `h2 refused insufficient-funds`. */
    answers: async () =>
      (await published(REPLIES)).map(({ key, data }) => {
        expect(key).toBe(SAGA)
        return [data['commandId'], data['outcome'], data['slug']].filter((part) => part !== undefined).join(' ')
      }),
    command: async (id: string, command: WalletCommand) => {
      const wallet = walletRef('w-1')
      await store.execute({
        id,
        fingerprint: id,
        streams: [wallet],
        metadata: { correlationId: id, causationId: id, actor: 'test' },
        decide: (states) => {
          const decided = rules.wallet.decide(command, states.of(wallet).state)
          if (isRefusal(decided)) throw new Error(decided.slug)
          return { appends: [{ stream: wallet, events: decided }], answer: '' }
        },
      })
    },
    balance: async () => {
      const { state } = await store.load(walletRef('w-1'))
      return [Number(state.balance), Number(state.held)]
    },
  }
}

const funded = async (rupees = 100) => {
  const wallet = start()
  await wallet.command('open', { type: 'open', at_ms: wallet.clock.now(), ownerId: 'c-1', kyc: 'full' })
  const amount = paise(rupees * 100)
  await wallet.command('credit', { type: 'credit', at_ms: wallet.clock.now(), entryId: 'e', amount, reference: 'r' })
  return wallet
}

const hold = { holdId: 'h-1', customerId: 'c-1', amount: '6000', reference: 'o-1' }

describe('wallet commands', () => {
  it('holds, captures, releases and refunds, each with one answer', async () => {
    const wallet = await funded()
    const { message } = wallet
    await wallet.receive(
      message('m-1', 'HoldFunds', hold),
      message('m-2', 'CaptureHold', { holdId: 'h-1', reference: 'o-1' }),
      message('m-3', 'HoldFunds', { ...hold, holdId: 'h-2', amount: '1000' }),
      message('m-4', 'ReleaseHold', { holdId: 'h-2', reference: 'o-1' }),
      message('m-5', 'RefundToWallet', { amount: '6000', reference: 'o-1' }),
    )
    expect(await wallet.answers()).toEqual(['m-1 accepted', 'm-2 accepted', 'm-3 accepted', 'm-4 accepted', 'm-5 accepted'])
    expect(await wallet.balance()).toEqual([10_000, 0])
  })

  it('says why not', async () => {
    const wallet = await funded()
    const { message } = wallet
    await wallet.receive(
      message('m-1', 'HoldFunds', { ...hold, walletId: 'w-2' }),
      message('m-2', 'HoldFunds', { ...hold, customerId: 'c-2' }),
      message('m-3', 'HoldFunds', { ...hold, amount: '10001' }),
      message('m-4', 'HoldFunds', { ...hold, amount: '-1' }),
      message('m-5', 'CaptureHold', { holdId: 'h-9', reference: 'o-1' }),
    )
    await wallet.command('freeze', { type: 'freeze', at_ms: wallet.clock.now() })
    await wallet.receive(message('m-6', 'HoldFunds', hold))
    await wallet.command('unfreeze', { type: 'unfreeze', at_ms: wallet.clock.now() })
    await wallet.command('close', { type: 'close', at_ms: wallet.clock.now(), payoutId: 'p' })
    await wallet.receive(message('m-7', 'HoldFunds', hold), message('m-8', 'RefundToWallet', { amount: '5', reference: 'o-1' }))
    expect(await wallet.answers()).toEqual([
      'm-1 refused unknown-wallet',
      'm-2 refused not-owner',
      'm-3 refused insufficient-funds',
      'm-4 refused invalid-amount',
      'm-5 refused hold-not-open',
      'm-6 refused wallet-frozen',
      'm-7 refused wallet-closed',
      'm-8 accepted',
    ])
  })

  it('refuses a hold that comes after its release', async () => {
    const wallet = await funded()
    await wallet.receive(wallet.message('m-1', 'ReleaseHold', { holdId: 'h-1', reference: 'o-1' }))
    await wallet.receive(wallet.message('m-2', 'HoldFunds', hold))
    expect(await wallet.answers()).toEqual(['m-1 accepted', 'm-2 refused hold-not-open'])
    expect(await wallet.balance()).toEqual([10_000, 0])
  })

  it('gives a repeated command its first answer again, once for each time that it came, with one effect', async () => {
    const wallet = await funded()
    const { message } = wallet
    const first = message('m-1', 'HoldFunds', hold)
    await wallet.receive(first, message('m-1', 'HoldFunds', hold))
    await wallet.receive(message('m-1', 'HoldFunds', hold), message('m-2', 'HoldFunds', { ...hold, holdId: 'h-2', amount: '6000' }))
    await wallet.receive(message('m-2', 'HoldFunds', { ...hold, holdId: 'h-2', amount: '6000' }))
    const refused = 'm-2 refused insufficient-funds'
    const answers = await wallet.answers()
    expect([answers.filter((each) => each === 'm-1 accepted').length, answers.filter((each) => each === refused).length]).toEqual([3, 2])
    expect(await wallet.balance()).toEqual([10_000, 6_000])
  })

  it('leaves to the consumer a message that breaks its contract, and one of a type that it does not know', async () => {
    const wallet = await funded()
    await expect(wallet.receive(wallet.message('m-1', 'HoldFunds', { holdId: 'h-1' }))).rejects.toThrow(ContractViolation)
    await expect(wallet.receive(wallet.message('m-2', 'SomethingNew', {}))).rejects.toThrow(UnknownCommand)
    expect(await wallet.answers()).toEqual([])
  })

  it('publishes the wallet after each event, with its version', async () => {
    const wallet = await funded()
    await wallet.receive(wallet.message('m-1', 'HoldFunds', hold))
    const changes = (await wallet.published(WALLET_EVENTS)).map(({ key, data }) => [
      key,
      data['version'],
      data['change'],
      data['balance'],
      data['held'],
    ])
    expect(changes).toEqual([
      ['w-1', 1, 'WalletOpened', '0', '0'],
      ['w-1', 2, 'Credited', '10000', '0'],
      ['w-1', 3, 'FundsHeld', '10000', '6000'],
    ])
  })
})

describe('expiry', () => {
  /** A wallet with holds of a rupee by their time to live, and a worker over their timers. */
  const expiring = async (holds: Readonly<Record<string, number>>) => {
    const wallet = await funded(1_000)
    const { clock, rules, store } = wallet
    const expiries = memoryHoldExpiries()
    for (const [holdId, life_ms] of Object.entries(holds)) {
      const expiresAt_ms = clock.now() + life_ms
      const own = { holdId, amount: paise(100), reference: 'r', madeBy: 'sub:c-1', expiresAt_ms } as const
      await wallet.command(holdId, { type: 'hold', at_ms: clock.now(), ...own })
      await memoryTransactions().run((tx) => expiries.add({ walletId: 'w-1', holdId, expiresAt_ms }, tx))
    }
    const failing = new Set<string>()
    const errors: unknown[] = []
    const commands: Pick<typeof store, 'execute' | 'executeAll'> = {
      execute: (command) => (failing.has(command.fingerprint) ? Promise.reject(new Error('down')) : store.execute(command)),
      executeAll: (all, tx) => store.executeAll(all, tx),
    }
    const worker = (its: Clock = clock) =>
      new ExpiryWorker({
        expiries,
        commands,
        rules,
        clock: its,
        random: { next: () => 0.5 },
        poll_ms: 10,
        onError: (error) => errors.push(error),
      })
    return { ...wallet, expiries, failing, errors, worker, held: async () => (await wallet.balance())[1] }
  }

  it('releases each hold once, when its time has come, however many workers there are', async () => {
    const { clock, worker, held } = await expiring({ 'h-1': 100, 'h-2': 200 })
    const [one, other] = [worker(), worker()]
    expect([await one.turn(), await held()]).toEqual([0, 200])
    clock.advance(100)
    await Promise.all([one.turn(), other.turn()])
    expect(await held()).toBe(100)
    clock.advance(100)
    expect([await other.turn(), await one.turn(), await held()]).toEqual([1, 0, 0])
  })

  it('lets a hundred timers that fail stand in nobody’s way, and comes back to them', async () => {
    const stuck = Array.from({ length: 120 }, (_, at) => `stuck-${at}`)
    const { clock, worker, held, failing, errors } = await expiring({
      ...Object.fromEntries(stuck.map((holdId) => [holdId, 10])),
      sound: 20,
    })
    for (const holdId of stuck) failing.add(holdId)
    clock.advance(20)
    const one = worker()
    expect([await one.turn(), await one.turn(), await one.turn()]).toEqual([100, 21, 0])
    expect([await held(), errors.length]).toEqual([12_000, 2])
    expect(errors[0]).toMatchObject({ message: '100 expired holds wait to be released', cause: new Error('down') })
    failing.clear()
    clock.advance(5_000)
    expect([await one.turn(), await one.turn(), await held()]).toEqual([100, 20, 0])
  })

  it('puts a timer off when the clock went back, and forgets one whose hold ended before its time', async () => {
    const { clock, worker, held, command, expiries, errors } = await expiring({ early: 100, ended: 50 })
    await command('release', { type: 'release', at_ms: clock.now(), holdId: 'ended', by: 'sub:c-1' })
    clock.advance(100)
    const times = [clock.now(), clock.now() - 60]
    const setBack = { now: () => times.shift() ?? clock.now() - 60, sleep: () => Promise.resolve() }
    expect([await worker(setBack).turn(), await held()]).toEqual([2, 100])
    clock.advance(5_000)
    expect([await worker().turn(), await held(), errors]).toEqual([1, 0, []])
    expect(await expiries.claim(Number.MAX_SAFE_INTEGER, 10, { first_ms: 0, most_ms: 0 })).toEqual([])
  })
})
