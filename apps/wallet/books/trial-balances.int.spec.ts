import { describe, expect, it } from '@jest/globals'
import { memoryEventStore } from '#event-store/testing'
import { isRefusal, paise } from '#kernel'
import { countingIds, FakeClock } from '#kernel/testing'
import { balanceOf, type WalletCommand } from '#wallet'
import { publishWallet } from '../publish.js'
import { Rules } from '../rules.js'
import { streamTypes, walletRef } from '../streams.js'
import { foldedBooksConformance } from './testing/folded-books.conformance.js'
import { memoryFoldedBooks } from './testing/memory-folded-books.js'
import { TrialBalances } from './trial-balances.js'

foldedBooksConformance('in memory', () => Promise.resolve(memoryFoldedBooks()))

describe('the trial balance', () => {
  const start = async () => {
    const clock = new FakeClock()
    const rules = new Rules([], clock, countingIds())
    const store = memoryEventStore({ types: streamTypes, publish: publishWallet, clock, app: 'wallet' })
    const wallet = walletRef('w-1')
    let commands = 0
    const command = async (each: WalletCommand) => {
      const id = `c-${++commands}`
      await store.execute({
        id,
        fingerprint: id,
        streams: [wallet],
        metadata: { correlationId: id, causationId: id, actor: 'test' },
        decide: (states) => {
          const decided = rules.wallet.decide(each, states.of(wallet).state)
          if (isRefusal(decided)) throw new Error(decided.slug)
          return { appends: [{ stream: wallet, events: decided }], answer: '' }
        },
      })
    }
    const credit = (amount: number) => command({ type: 'credit', at_ms: clock.now(), entryId: 'e', amount: paise(amount), reference: 'r' })
    await command({ type: 'open', at_ms: clock.now(), ownerId: 'c-1', kyc: 'full' })
    const reads: bigint[] = []
    const events: Pick<typeof store, 'readAll'> = {
      readAll: (options) => {
        reads.push(options?.after ?? 0n)
        return store.readAll(options)
      },
    }
    return { clock, credit, events, store, reads }
  }

  it('goes on from where it was folded last, in any process', async () => {
    const { clock, credit, events, reads } = await start()
    const kept = memoryFoldedBooks()
    const [one, other] = [new TrialBalances(events, kept, clock), new TrialBalances(events, kept, clock)]
    await credit(100)
    const first = await one.now()
    expect([first.countedEvents, balanceOf(first.books.wallets), balanceOf(first.books.escrow)]).toEqual([2, 100n, -100n])
    await credit(20)
    const second = await other.now()
    expect([second.countedEvents, balanceOf(second.books.wallets)]).toEqual([3, 120n])
    expect(reads).toEqual([0n, first.position])
    expect(await one.now()).toEqual(second)
  })

  it('lets nobody wait for long: says that it is still counting, and goes on from there', async () => {
    const { clock, events } = await start()
    const [opened] = await Array.fromAsync(events.readAll())
    if (!opened) throw new Error('no event')
    const credited = { amount: '1', account: 'escrow', reference: 'r' }
    // Five times as many events as are read between two looks at the clock, each of which takes a second.
    const many = {
      async *readAll({ after = 0n } = {}) {
        for (let position = after + 1n; position <= 50_000n; position++) {
          if (position % 10_000n === 0n) clock.advance(1_000)
          yield { ...opened, position, type: 'Credited', data: credited }
        }
      },
    }
    const balances = new TrialBalances(many, memoryFoldedBooks(), clock)
    const problem = { status: 503, slug: 'still-folding', headers: { 'retry-after': '1' } }
    await expect(balances.now()).rejects.toMatchObject(problem)
    await expect(balances.now()).rejects.toMatchObject(problem)
    expect((await balances.now()).books.wallets.credits).toBe(50_000n)
  })
})
