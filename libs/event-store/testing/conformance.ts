import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { OutboxEntry, Transactions } from '#kernel'
import { appendEvents, WrongExpectedVersion, type ExpectedVersion } from '../append/append.js'
import { CommandIdReused, type EventStore, type Publisher, type RecordedEvent } from '../store.js'
import type { AnyStreamType } from '../stream.js'
import { change, commandOf, ledgerType, messageOf, move, publishTally, tally, tallyType } from './tally.js'

/** One place where events are kept, on which several running instances may be opened. */
export interface ConformanceHarness {
  /** Another running instance over the same data, as another process would have it. */
  open(options: { readonly types: readonly AnyStreamType[]; readonly publish: Publisher }): Promise<EventStore>
  readonly transactions: Transactions
  /** Ends what the harness holds. Stores are closed by the suite. */
  close(): Promise<void>
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const until = async <T>(probe: () => Promise<T>, holds: (value: T) => boolean): Promise<T> => {
  for (let tries = 0; ; tries++) {
    const value = await probe()
    if (holds(value) || tries === 500) return value
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What every event store does, whatever it is made of. Each test works on streams of its own. */
export const eventStoreConformance = (name: string, make: () => Promise<ConformanceHarness>): void => {
  describe(`${name} as an event store`, () => {
    let harness: ConformanceHarness
    let store: EventStore
    let other: EventStore
    const options = { types: [tallyType, ledgerType] as readonly AnyStreamType[], publish: publishTally }

    beforeAll(async () => {
      harness = await make()
      store = await harness.open(options)
      other = await harness.open(options)
    })
    afterAll(async () => {
      await store.close()
      await other.close()
      await harness.close()
    })

    const total = async (id: string, from = store) => (await from.load(tally(id))).state.total
    const events = (id: string): Promise<RecordedEvent[]> => collect(store.readStream(`tally-${id}`))
    const drained = async (): Promise<OutboxEntry[]> => {
      const all: OutboxEntry[] = []
      for (;;) {
        const page = await store.outbox.after(all.at(-1)?.position ?? 0n, 7)
        if (page.length === 0) return all
        all.push(...page)
      }
    }

    it('appends what is decided, and reads it back as it was', async () => {
      expect(await store.execute(change('read-1', 'read', 5))).toEqual({ answer: 'total 5', replayed: false })
      await store.execute(change('read-2', 'read', -2))
      expect(await store.load(tally('read'))).toEqual({ version: 2, state: { total: 3, changes: 2 } })
      const [first, second] = await events('read')
      expect(first).toMatchObject({ stream: 'tally-read', version: 1, type: 'Changed', data: { by: 5 } })
      expect(first?.metadata).toEqual({ actor: 'tester', correlationId: 'c', causationId: 'read-1', commandId: 'read-1' })
      expect(second?.position).toBeGreaterThan(first?.position ?? 0n)
      expect((await collect(store.readStream('tally-read', { from: 2 }))).map(({ version }) => version)).toEqual([2])
      expect(await store.load(tally('nobody'))).toEqual({ version: 0, state: { total: 0, changes: 0 } })
    })

    it('answers a repeated command as at first, from any instance, with one effect', async () => {
      await store.execute(change('twice', 'repeat', 1))
      expect(await store.execute(change('twice', 'repeat', 1))).toEqual({ answer: 'total 1', replayed: true })
      expect(await other.execute(change('twice', 'repeat', 1))).toEqual({ answer: 'total 1', replayed: true })
      expect(await total('repeat')).toBe(1)
    })

    it('joins the same command sent many times at once', async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => (at % 2 ? store : other).execute(change('fifty', 'join', 1))))
      expect(new Set(answers.map(({ answer }) => answer))).toEqual(new Set(['total 1']))
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1)
      expect(await events('join')).toHaveLength(1)
    })

    it('refuses a command id used for something else, at once and later', async () => {
      const first = store.execute(change('reused', 'reuse', 1, 'a'))
      await expect(store.execute(change('reused', 'reuse', 1, 'b'))).rejects.toBeInstanceOf(CommandIdReused)
      await first
      await expect(store.execute(change('reused', 'reuse', 1, 'b'))).rejects.toBeInstanceOf(CommandIdReused)
      await expect(other.execute(change('reused', 'reuse', 1, 'b'))).rejects.toBeInstanceOf(CommandIdReused)
      expect(await total('reuse')).toBe(1)
    })

    it('keeps a refusal as the answer', async () => {
      expect((await store.execute(change('refused', 'refusal', -1))).answer).toBe('refused at 0')
      await store.execute(change('funds', 'refusal', 10))
      expect(await store.execute(change('refused', 'refusal', -1))).toEqual({ answer: 'refused at 0', replayed: true })
      expect(await total('refusal')).toBe(10)
    })

    it('decides refusals too on the newest state', async () => {
      await store.execute(change('stale-1', 'stale', 1))
      await other.execute(change('stale-2', 'stale', 9))
      // `store` may still think that the total is 1.
      expect((await store.execute(change('stale-3', 'stale', -10))).answer).toBe('total 0')
    })

    it('rejects alone a command whose decide throws, on the newest state, and keeps nothing of it', async () => {
      await store.execute(change('throws-0', 'throws', 1))
      await other.execute(change('throws-1', 'throws', 1))
      const seen: number[] = []
      const throws = commandOf('throws-2', [tally('throws')], (states) => {
        seen.push(states.of(tally('throws')).version)
        throw new Error('no')
      })
      const [thrown, ...others] = await Promise.allSettled([
        store.execute(throws),
        store.execute(change('throws-3', 'throws-too', 1)),
        store.execute(change('throws-4', 'throws-too', 1)),
      ])
      expect(thrown).toMatchObject({ status: 'rejected', reason: { message: 'no' } })
      expect(seen.at(-1)).toBe(2)
      expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      expect((await store.execute(change('throws-2', 'throws', 1))).answer).toBe('total 3')
      // A repeat gets its answer even where deciding it again would throw.
      expect(await store.execute(throws)).toEqual({ answer: 'total 3', replayed: true })
    })

    it('rejects alone a command that appends where it did not read', async () => {
      const astray = commandOf('astray', [tally('astray')], () => ({
        appends: [{ stream: tally('elsewhere'), events: [{ type: 'Changed', data: { by: 1 } }] }],
        answer: '',
      }))
      await expect(store.execute(astray)).rejects.toThrow(TypeError)
      expect(await total('elsewhere')).toBe(0)
    })

    describe('appending with an expected version', () => {
      const by = (amount: number) => [{ type: 'Changed', data: { by: amount } }]
      const metadata = { actor: 'tester', correlationId: 'c', causationId: 'x' }
      const append = (id: string, on: string, expected: ExpectedVersion, from = store, amount = 1) =>
        appendEvents(from, { id, metadata, to: [{ stream: tally(on), expected, events: by(amount) }] })
      const outcomes = async (work: readonly Promise<unknown>[]) => {
        const settled = await Promise.allSettled(work)
        for (const each of settled) if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(WrongExpectedVersion)
        return settled.filter(({ status }) => status === 'fulfilled').length
      }

      it('takes the exact one, none where nothing is, and any whatever there is', async () => {
        expect(await append('ev-1', 'ev', 'none')).toEqual({ versions: [1], replayed: false })
        expect(await append('ev-2', 'ev', 1)).toEqual({ versions: [2], replayed: false })
        expect(await append('ev-3', 'ev', 'any', other)).toEqual({ versions: [3], replayed: false })
        expect(await append('ev-4', 'ev-fresh', 'any')).toEqual({ versions: [1], replayed: false })
        expect(await append('ev-5', 'ev-zero', 0)).toEqual({ versions: [1], replayed: false })
        // `store` may still think that it is at 2.
        expect(await append('ev-6', 'ev', 3)).toEqual({ versions: [4], replayed: false })
        expect([await total('ev'), (await events('ev')).length]).toEqual([4, 4])
      })

      it('refuses the others on the newest version, writes nothing of it, and leaves the id free', async () => {
        await append('evr-0', 'evr', 'none')
        await append('evr-1', 'evr', 1, other)
        const wrong = (expected: ExpectedVersion) => append('evr-2', 'evr', expected)
        await expect(wrong('none')).rejects.toMatchObject({ stream: 'tally-evr', expected: 'none', actual: 2 })
        await expect(wrong(1)).rejects.toMatchObject({ expected: 1, actual: 2 })
        await expect(wrong(3)).rejects.toBeInstanceOf(WrongExpectedVersion)
        expect(await wrong(2)).toEqual({ versions: [3], replayed: false })
        expect(await total('evr')).toBe(3)
      })

      it('gives a repeat its first result, and refuses another append under its id', async () => {
        const first = await append('evi-1', 'evi', 'none')
        await append('evi-2', 'evi', 'any')
        expect(await append('evi-1', 'evi', 'none', other)).toEqual({ ...first, replayed: true })
        await expect(append('evi-1', 'evi', 'any')).rejects.toBeInstanceOf(CommandIdReused)
        await expect(append('evi-1', 'evi', 'none', store, 2)).rejects.toBeInstanceOf(CommandIdReused)
        expect(await total('evi')).toBe(2)
      })

      it('lets one of many through from two instances at once where it is exact or none, and all of them where it is any', async () => {
        const race = (expected: ExpectedVersion, name: string) =>
          outcomes(Array.from({ length: 20 }, (_, at) => append(`${name}-${at}`, 'evc', expected, at % 2 ? store : other)))
        expect(await race('none', 'evc-none')).toBe(1)
        expect(await race(1, 'evc-exact')).toBe(1)
        expect(await race('any', 'evc-any')).toBe(20)
        expect(await total('evc')).toBe(22)
        expect(await store.verify('tally-evc')).toMatchObject({ ok: true, version: 22 })
      })

      it('holds for all streams of an append or for none, in a transaction too', async () => {
        await append('evm-0', 'evm-a', 'none')
        const both = (id: string, expected: ExpectedVersion) => ({
          id,
          metadata,
          to: [
            { stream: tally('evm-a'), expected: 1, events: by(1) },
            { stream: tally('evm-b'), expected, events: [...by(1), ...by(2)] },
          ],
        })
        await expect(appendEvents(store, both('evm-1', 7))).rejects.toMatchObject({ stream: 'tally-evm-b', actual: 0 })
        expect([await total('evm-a'), await total('evm-b')]).toEqual([1, 0])
        const failed = harness.transactions.run((tx) => appendEvents(store, both('evm-1', 7), tx))
        await expect(failed).rejects.toBeInstanceOf(WrongExpectedVersion)
        const done = await harness.transactions.run((tx) => appendEvents(store, both('evm-1', 'none'), tx))
        expect(done).toEqual({ versions: [2, 2], replayed: false })
        expect([await total('evm-a', other), await total('evm-b', other)]).toEqual([2, 3])
        const twice = { ...both('evm-2', 'any'), to: [...both('evm-2', 'any').to, ...both('evm-2', 'any').to] }
        await expect(appendEvents(store, twice)).rejects.toThrow(TypeError)
      })
    })

    it('appends to several streams, all or nothing', async () => {
      await store.execute(change('move-0', 'purse', 10))
      const moved = await Promise.all(Array.from({ length: 12 }, (_, at) => store.execute(move(`move-a${at}`, 'purse', 'box', 1))))
      expect(moved.filter(({ answer }) => answer === 'moved')).toHaveLength(10)
      expect([await total('purse'), await total('box')]).toEqual([0, 10])
    })

    it('stays consistent with two instances writing the same streams at once', async () => {
      const ids = ['rivals-0', 'rivals-1', 'rivals-2']
      await Promise.all(ids.map((id) => store.execute(change(`fund-${id}`, id, 20))))
      const work = Array.from({ length: 120 }, (_, at) => {
        const from = ids[at % 3] ?? ''
        const to = ids[(at * 7 + 1) % 3] ?? ''
        const command = from === to ? change(`rival-${at}`, from, 0) : move(`rival-${at}`, from, to, 3)
        return (at % 2 ? store : other).execute(command)
      })
      await Promise.all(work)
      const totals = await Promise.all(ids.map((id) => total(id)))
      expect(totals.reduce((sum, each) => sum + each)).toBe(60)
      expect(Math.min(...totals)).toBeGreaterThanOrEqual(0)
      for (const id of ids) expect(await store.verify(`tally-${id}`)).toMatchObject({ ok: true })
      expect(await Promise.all(ids.map((id) => total(id, other)))).toEqual(totals)
    })

    it('goes on where it was when opened again', async () => {
      await store.execute(change('again-1', 'again', 4))
      const reopened = await harness.open(options)
      expect(reopened.incarnation).toBe(store.incarnation)
      expect((await reopened.execute(change('again-2', 'again', 1))).answer).toBe('total 5')
      expect(await reopened.execute(change('again-1', 'again', 4))).toEqual({ answer: 'total 4', replayed: true })
      await reopened.close()
    })

    it('holds a state that JSON cannot, over snapshots and restarts', async () => {
      const ledger = { type: ledgerType, id: 'big' }
      for (let at = 0; at < 12; at++)
        await store.execute(
          commandOf(`ledger-${at}`, [ledger], () => ({
            appends: [{ stream: ledger, events: [{ type: 'Changed', data: { by: Number.MAX_SAFE_INTEGER } }] }],
            answer: '',
          })),
        )
      const reopened = await harness.open(options)
      expect(await reopened.load(ledger)).toEqual({ version: 12, state: { total: BigInt(Number.MAX_SAFE_INTEGER) * 12n } })
      await reopened.close()
    })

    it('loads a stream as it was at a version and at a time', async () => {
      for (let at = 1; at <= 25; at++) await store.execute(change(`past-${at}`, 'past', at))
      expect(await store.loadAt(tally('past'), { version: 3 })).toEqual({ version: 3, state: { total: 6, changes: 3 } })
      expect((await store.loadAt(tally('past'), { version: 99 })).version).toBe(25)
      expect((await store.loadAt(tally('past'), { version: 0 })).version).toBe(0)
      const all = await events('past')
      const middle = all[11]?.recordedAt ?? 0
      const seen = all.filter(({ recordedAt }) => recordedAt <= middle).length
      expect((await store.loadAt(tally('past'), { time: middle })).version).toBe(seen)
      expect((await store.loadAt(tally('past'), { time: (all[0]?.recordedAt ?? 0) - 1 })).version).toBe(0)
    })

    it('reads everything, or a category, in commit order', async () => {
      await store.execute(change('all-1', 'all', 1))
      const all = await collect(store.readAll())
      const positions = all.map(({ position }) => position)
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)))
      const ledgers = await collect(store.readAll({ category: 'ledger' }))
      expect(ledgers).toEqual(all.filter(({ stream }) => stream.startsWith('ledger-')))
      const rest = await collect(store.readAll({ after: positions[2] ?? 0n, limit: 2 }))
      expect(rest.map(({ position }) => position)).toEqual(positions.slice(3, 5))
    })

    it('reads a stream up to a version and up to a time', async () => {
      for (let at = 1; at <= 6; at++) await store.execute(change(`upto-${at}`, 'upto', at))
      const all = await events('upto')
      const versions = async (options: Parameters<EventStore['readStream']>[1]) =>
        (await collect(store.readStream('tally-upto', options))).map(({ version }) => version)
      expect(await versions({ from: 2, to: 4 })).toEqual([2, 3, 4])
      expect(await versions({ to: 99, limit: 1 })).toEqual([1])
      const middle = all[2]?.recordedAt ?? 0
      const seen = all.filter(({ recordedAt }) => recordedAt <= middle)
      expect(await versions({ until: middle })).toEqual(seen.map(({ version }) => version))
      const until = await collect(store.readAll({ until: middle, after: (all[0]?.position ?? 0n) - 1n }))
      expect(until.map(({ position }) => position)).toEqual(seen.map(({ position }) => position))
    })

    it('follows what is appended, in commit order, until it is told to stop', async () => {
      await store.execute(change('follow-1', 'follow', 1))
      const begun = (await events('follow'))[0]?.position ?? 0n
      const stop = new AbortController()
      const seen: number[] = []
      const following = (async () => {
        for await (const { data, stream } of other.readAll({ after: begun - 1n, category: 'tally', follow: stop.signal }))
          if (stream === 'tally-follow') seen.push(Number(data['by']))
      })()
      for (let by = 2; by <= 5; by++) await store.execute(change(`follow-${by}`, 'follow', by))
      await until(
        async () => seen.length,
        (count) => count >= 5,
      )
      await store.execute(change('follow-6', 'follow', 6))
      await until(
        async () => seen.length,
        (count) => count >= 6,
      )
      stop.abort()
      await following
      expect(seen).toEqual([1, 2, 3, 4, 5, 6])
    })

    it('verifies an intact chain', async () => {
      await store.execute(change('chain-1', 'chain', 1))
      await store.execute(change('chain-2', 'chain', 1))
      const head = Buffer.from((await events('chain'))[1]?.hash ?? []).toString('hex')
      expect(await store.verify('tally-chain')).toEqual({ ok: true, version: 2, checkedEvents: 2, head })
      expect(await store.verify('tally-nobody')).toMatchObject({ ok: true, version: 0, checkedEvents: 0 })
    })

    it('gives events and messages to the relay in commit order', async () => {
      const before = (await drained()).at(-1)?.position ?? 0n
      const noted = commandOf('outbox-2', [tally('outbox')], () => ({
        appends: [{ stream: tally('outbox'), events: [{ type: 'Changed', data: { by: 2 } }] }],
        messages: [messageOf('a'), messageOf('b')],
        answer: '',
      }))
      const only = commandOf('outbox-3', [tally('outbox')], () => ({ appends: [], messages: [messageOf('c')], answer: '' }))
      for (const command of [change('outbox-1', 'outbox', 1), noted, only, change('outbox-4', 'outbox', 0)]) await store.execute(command)
      await store.execute(noted)
      const entries = (await drained()).filter(({ position }) => position > before)
      expect(entries.map(({ messages }) => messages.map(({ type, data }) => [type, data]))).toEqual([
        [['TallyChanged', { by: 1, version: 1 }]],
        [['TallyChanged', { by: 2, version: 2 }]],
        [
          ['Noted', { text: 'a' }],
          ['Noted', { text: 'b' }],
        ],
        [['Noted', { text: 'c' }]],
        [],
      ])
      expect(entries[2]?.messages[0]).toEqual(messageOf('a'))
      const positions = entries.map(({ position }) => position)
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)))
    })

    it('shows a failing publisher to the relay, and not the entries behind it', async () => {
      await store.execute(change('broken-1', 'broken', 666))
      await store.execute(change('broken-2', 'broken', 1))
      const broken = await harness.open({
        ...options,
        publish: (event) => {
          if (event.data['by'] === 666) throw new Error('cannot map')
          return []
        },
      })
      const position = (await events('broken'))[0]?.position ?? 0n
      expect((await broken.outbox.after(position - 2n, 10)).every((entry) => entry.position < position)).toBe(true)
      await expect(broken.outbox.after(position - 1n, 10)).rejects.toMatchObject({ position, message: expect.stringContaining('Changed') })
      await broken.close()
    })

    it('rings when something was committed', async () => {
      let rings = 0
      const bell = await other.outbox.onDoorbell(() => rings++)
      await until(
        async () => rings,
        (count) => count > 0,
      )
      const before = rings
      await store.execute(change('ring', 'ring', 1))
      expect(
        await until(
          async () => rings,
          (count) => count > before,
        ),
      ).toBeGreaterThan(before)
      await bell.close()
    })

    it('leases the relay to one owner, and fences the one before', async () => {
      const mine = await store.outbox.lease('a', 60_000, 'log')
      if (!mine) throw new Error('no lease')
      expect(await other.outbox.lease('b', 60_000, 'log')).toBeUndefined()
      expect(await store.outbox.lease('a', 60_000, 'log')).toEqual(mine)
      expect(await store.outbox.advance(mine.epoch, mine.position + 1n)).toBe(true)
      await store.outbox.release(mine.epoch)
      const theirs = await other.outbox.lease('b', 1, 'log')
      expect(theirs).toEqual({ epoch: mine.epoch + 1n, position: mine.position + 1n })
      expect(await store.outbox.advance(mine.epoch, mine.position + 5n)).toBe(false)
      const taken = await until(
        () => store.outbox.lease('c', 60_000, 'log'),
        (lease) => lease !== undefined,
      )
      expect(taken).toEqual({ epoch: mine.epoch + 2n, position: mine.position + 1n })
      expect(await other.outbox.advance(theirs?.epoch ?? 0n, mine.position + 5n)).toBe(false)
      expect(await store.outbox.advance(taken?.epoch ?? 0n, mine.position)).toBe(true)
      expect((await store.outbox.lease('c', 60_000, 'log'))?.position).toBe(mine.position + 1n)
      await store.outbox.release(taken?.epoch ?? 0n)
    })

    it('publishes to one log: a relay to another has no lease and nothing to send', async () => {
      await store.execute(change('to-one-log', 'to-one-log', 1))
      const mine = await store.outbox.lease('a', 60_000, 'log')
      await store.outbox.release(mine?.epoch ?? 0n)
      expect(await other.outbox.lease('b', 60_000, 'another')).toBeUndefined()
      expect(await other.outbox.after(0n, 10, 'another')).toEqual([])
      expect(await other.outbox.after(0n, 10, 'log')).not.toEqual([])
    })

    it('executes many commands in order inside a transaction', async () => {
      await other.execute(change('inside-0', 'inside', 5))
      await store.execute(change('inside-00', 'inside', 0))
      await other.execute(change('inside-000', 'inside', 1))
      const answers = await harness.transactions.run((tx) =>
        store.executeAll(
          [
            change('inside-1', 'inside', -6),
            change('inside-2', 'inside', -1),
            move('inside-3', 'inside', 'inside-too', 1),
            change('inside-0', 'inside', 5),
            change('inside-4', 'inside', 2),
            change('inside-1', 'inside', -6),
          ],
          tx,
        ),
      )
      expect(answers).toEqual([
        { answer: 'total 0', replayed: false },
        { answer: 'refused at 0', replayed: false },
        { answer: 'refused', replayed: false },
        { answer: 'total 5', replayed: true },
        { answer: 'total 2', replayed: false },
        { answer: 'total 0', replayed: true },
      ])
      expect(await total('inside')).toBe(2)
      expect(await total('inside', other)).toBe(2)
    })

    it('leaves nothing of a transaction that is rolled back, in the store or in memory', async () => {
      await store.execute(change('undone-0', 'undone', 1))
      const undone = harness.transactions.run(async (tx) => {
        const [answered] = await store.executeAll([change('undone-1', 'undone', 100)], tx)
        expect(answered).toEqual({ answer: 'total 101', replayed: false })
        throw new Error('undo')
      })
      await expect(undone).rejects.toThrow('undo')
      expect((await store.execute(change('undone-2', 'undone', 1))).answer).toBe('total 2')
      expect((await store.execute(change('undone-1', 'undone', 100))).answer).toBe('total 102')
      expect(await total('undone')).toBe(102)
    })

    it('is not misled by another history of the same length after a roll back', async () => {
      await store.execute(change('aba-0', 'aba', 1))
      const undone = harness.transactions.run(async (tx) => {
        await store.executeAll([change('aba-1', 'aba', 100)], tx)
        throw new Error('undo')
      })
      await expect(undone).rejects.toThrow('undo')
      await other.execute(change('aba-2', 'aba', 7))
      expect((await store.execute(change('aba-3', 'aba', 1))).answer).toBe('total 9')
      expect(await store.verify('tally-aba')).toMatchObject({ ok: true, version: 3 })
    })

    it('fails the whole transaction where a decide throws or an id is reused', async () => {
      const throws = commandOf('fails-2', [tally('fails')], () => {
        throw new Error('no')
      })
      const run = (commands: Parameters<EventStore['executeAll']>[0]) => harness.transactions.run((tx) => store.executeAll(commands, tx))
      await expect(run([change('fails-1', 'fails', 1), throws])).rejects.toThrow('no')
      expect(await total('fails')).toBe(0)
      await run([change('fails-1', 'fails', 1)])
      await expect(run([change('fails-1', 'fails', 1, 'other')])).rejects.toBeInstanceOf(CommandIdReused)
    })

    it('takes 600 commands in one transaction', async () => {
      const commands = Array.from({ length: 600 }, (_, at) => change(`mass-${at}`, `mass-${at % 20}`, 1))
      const answers = await harness.transactions.run((tx) => store.executeAll(commands, tx))
      expect(answers).toHaveLength(600)
      expect(await total('mass-0')).toBe(30)
    })

    it('is not fooled by a wrong hint that a stream is new', async () => {
      await other.execute(change('fresh-0', 'fresh', 5))
      const command = { ...change('fresh-1', 'fresh', 1), streams: [{ ...tally('fresh'), fresh: true }] }
      expect((await store.execute(command)).answer).toBe('total 6')
    })
  })
}
