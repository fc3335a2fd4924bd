import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { eventType, EventTypes, masterKeysOf, openWith, seal, sealedText, streamName, type StreamType } from '#event-store'
import {
  deciderSpec,
  memoryEventStore,
  memorySubjectKeys,
  MemoryStoreData,
  runAgainstModel,
  subjectKeysConformance,
  waves,
} from '#event-store/testing'
import { refuse, systemClock, type Decider } from '#kernel'
import { memoryTransactions, seededRandom } from '#kernel/testing'
import fc from 'fast-check'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Type from 'typebox'
import { eventHash, type HashedEvent } from './hash-chain.js'
import { StateCache } from './state-cache.js'
import { shapeOf } from './stream.js'
import { createSubjectKey } from './subject-keys.js'
import { change, publishTally, tally, tallyType } from './testing/tally.js'

describe('the hash chain', () => {
  const bytes = fc.uint8Array({ maxLength: 20 })
  const event: fc.Arbitrary<HashedEvent> = fc.record({
    stream: fc.string({ maxLength: 5 }),
    version: fc.maxSafeNat(),
    type: fc.string({ maxLength: 5 }),
    schemaVersion: fc.nat(),
    time: fc.maxSafeNat(),
    payload: bytes,
    metadata: bytes,
  })

  it('differs for any two events that differ', () => {
    fc.assert(
      fc.property(event, bytes, event, bytes, (one, before, other, otherBefore) => {
        const same = JSON.stringify([one, before]) === JSON.stringify([other, otherBefore])
        expect(eventHash(one, before).equals(eventHash(other, otherBefore))).toBe(same)
      }),
    )
  })

  it('does not let bytes move from one field to the next', () => {
    const base = { stream: 's', version: 1, type: 't', schemaVersion: 1, time: 1 }
    const one = eventHash({ ...base, payload: Buffer.from('ab'), metadata: Buffer.from('c') }, Buffer.alloc(0))
    expect(eventHash({ ...base, payload: Buffer.from('a'), metadata: Buffer.from('bc') }, Buffer.alloc(0)).equals(one)).toBe(false)
  })

  it('is what is written down, for good', () => {
    const hash = eventHash(
      {
        stream: 'tally-1',
        version: 1,
        type: 'Changed',
        schemaVersion: 1,
        time: 0,
        payload: Buffer.from('{}'),
        metadata: Buffer.from('{}'),
      },
      Buffer.alloc(0),
    )
    expect(hash.toString('hex')).toBe('9821906b05ac55fbdb8216f81a480e3b25bc16c49c5187eb44af57386867b993')
  })
})

describe('sealed text', () => {
  it('opens under the key and for the subject that it was sealed for, and only as it was sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), (text, seed) => {
        const random = seededRandom(seed)
        const key = createSubjectKey('c-1', random)
        const sealed = seal(key, text, random)
        expect(openWith(key, sealed)).toBe(text)
        expect(openWith(createSubjectKey('c-1', random), sealed)).toBeUndefined()
        expect(openWith({ ...key, subject: 'c-2' }, { ...sealed, subject: 'c-2' })).toBeUndefined()
        expect(openWith(key, { ...sealed, ciphertext: `AAAA${sealed.ciphertext}` })).toBeUndefined()
        expect(JSON.stringify(sealed)).not.toContain(Buffer.from(key.key).toString('base64url'))
      }),
    )
  })

  it('is told from other JSON', () => {
    const sealed = seal(createSubjectKey('c-1'), 'x')
    expect(sealedText({ ...sealed, more: 1 })).toEqual(sealed)
    for (const other of [null, undefined, 'x', [], {}, { ...sealed, nonce: 1 }]) expect(sealedText(other)).toBeUndefined()
  })

  it('names a master key without telling it', () => {
    const [one, two] = masterKeysOf('1'.repeat(32), '2'.repeat(40))
    expect(new Set([one.id, two?.id]).size).toBe(2)
    expect(Buffer.from(one.key).toString()).not.toContain(one.id)
    expect(() => masterKeysOf('short')).toThrow(RangeError)
  })
})

subjectKeysConformance('memory', async () => ({ keys: memorySubjectKeys(seededRandom(1)), close: () => Promise.resolve() }))

describe('the cache of states', () => {
  const entry = (text: string, version = 1) => ({ version, state: { text }, head: Buffer.alloc(32), time: 0 })
  const clock = { now: () => 0 }

  it('stays within its bytes, and lets the least recently used go', () => {
    const cache = new StateCache(40_000, clock)
    for (let at = 0; at < 100; at++) {
      cache.put(`s${at}`, entry('x'.repeat(1_000)), 0)
      cache.get('s0')
    }
    expect(cache.get('s0')).toBeDefined()
    expect(cache.get('s50')).toBeUndefined()
    expect(cache.get('s99')).toBeDefined()
  })

  it('measures a state again as it grows, and does not count what is gone', () => {
    const cache = new StateCache(1_000_000, clock)
    cache.put('s', entry('small'), 0)
    for (let at = 0; at < 10_000; at++) cache.put('s', entry('small', at), 200)
    expect(cache.get('s')?.size_bytes).toBeLessThan(20_000)
    for (let at = 0; at < 100; at++) cache.put('s', entry('x'.repeat(at * 1_000), at), 1_000)
    expect(cache.get('s')?.size_bytes).toBeGreaterThan(90_000)
  })

  it('lets go of what nobody asked for in five minutes, and keeps what somebody did', () => {
    let now_ms = 1_000
    const cache = new StateCache(1_000_000, { now: () => now_ms })
    for (let at = 0; at < 100; at++) cache.put(`s${at}`, entry('small'), 0)
    now_ms += 200_000
    cache.get('s0')
    cache.put('s1', entry('small', 2), 10)
    expect(cache.dropIdle()).toBe(0)
    now_ms += 150_000
    expect(cache.dropIdle()).toBe(98)
    expect([cache.get('s0')?.version, cache.get('s1')?.version, cache.get('s2')]).toEqual([1, 2, undefined])
  })
})

describe('the shape of a state', () => {
  it('changes with evolve, initial state and source, and with nothing else', () => {
    const shape = shapeOf(tallyType)
    expect(shapeOf({ ...tallyType, snapshotEvery: 99 })).toBe(shape)
    const others = [
      { ...tallyType, evolve: (state: { total: number; changes: number }) => state },
      { ...tallyType, initialState: { total: 1, changes: 0 } },
      { ...tallyType, source: new URL('stream.ts', import.meta.url).href },
    ].map((type) => shapeOf(type))
    expect(new Set([shape, ...others]).size).toBe(4)
  })

  describe('whose evolve calls what lies elsewhere', () => {
    let folder: string
    beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'bahi-shape-'))))
    afterEach(() => rmSync(folder, { recursive: true }))
    const purse = `import { add } from './sums.js'
      export const purse = { category: 'purse', initialState: 0, evolve: (state, { data }) => add(state, data.by), snapshotEvery: 9, source: import.meta.url }`
    const files = {
      'purse.mjs': purse,
      'sums.js': `export * from './plus.js'`,
      'plus.js': `import { money } from 'money'\nexport const add = (a, b) => money(a + b)`,
      'beside.js': 'export const other = 1',
      'package.json': '{ "type": "module" }',
      'node_modules/money/package.json': '{ "name": "money", "version": "1.0.0", "type": "module", "exports": "./index.js" }',
      'node_modules/money/index.js': 'export const money = (sum) => sum',
    }
    let copies = 0
    /** The shape of the purse in a folder of its own, as another release of it would be. */
    const shapeWith = async (changed: Partial<Record<keyof typeof files | 'beside.js', string>> = {}): Promise<string> => {
      const release = join(folder, String(copies++))
      for (const [name, text] of Object.entries({ ...files, ...changed })) {
        mkdirSync(dirname(join(release, name)), { recursive: true })
        writeFileSync(join(release, name), text)
      }
      const module = (await import(pathToFileURL(join(release, 'purse.mjs')).href)) as { purse: StreamType<number, never> }
      return shapeOf(module.purse)
    }

    it('changes with a helper of a helper, and with a package’s version; not with where it lies nor with what it does not import', async () => {
      const before = await shapeWith()
      expect(await shapeWith()).toBe(before)
      expect(await shapeWith({ 'beside.js': 'export const other = 2' })).toBe(before)
      const helper = await shapeWith({ 'plus.js': files['plus.js'].replace('a + b', 'a + b * 2') })
      const version = await shapeWith({
        'node_modules/money/package.json': files['node_modules/money/package.json'].replace('1.0.0', '1.0.1'),
      })
      expect(new Set([before, helper, version]).size).toBe(3)
    })

    it('cannot be left unsaid: no store opens with a type that takes snapshots and does not name its source', () => {
      const { source: _, ...unsaid } = tallyType
      const open = (type: object) => memoryEventStore({ types: [type as never], publish: publishTally, clock: systemClock, app: 'test' })
      expect(() => open(unsaid)).toThrow(/tally takes snapshots.*import\.meta\.url/)
      expect(() => open({ ...unsaid, snapshotEvery: 0 })).not.toThrow()
      const upcast = eventType('Changed', Type.Object({ by: Type.Number() }), (data) => data)
      expect(() => open({ ...tallyType, events: new EventTypes([upcast]) })).toThrow(/EventTypes with upcasts/)
      expect(() => open({ ...tallyType, events: new EventTypes([upcast], import.meta.url) })).not.toThrow()
    })
  })
})

describe('deciderSpec', () => {
  type Event = { readonly type: 'On' } | { readonly type: 'Off' }
  const lamp: Decider<'on' | 'break', boolean, Event> = {
    initialState: false,
    decide: (command, on) => (command === 'break' ? refuse('no', 'Not here.') : on ? [] : [{ type: 'On' }]),
    evolve: (_, event) => event.type === 'On',
  }
  const spec = deciderSpec(lamp)

  it('says given, when, then', () => {
    spec.given().when('on').then({ type: 'On' })
    spec.given({ type: 'On' }).when('on').then()
    spec.given({ type: 'On' }, { type: 'Off' }).when('on').thenState(true)
    spec.given().when('break').thenRefused('no', 'rule')
  })

  it('fails when it is not so', () => {
    expect(() => spec.given().when('on').then()).toThrow()
    expect(() => spec.given().when('on').thenRefused('no')).toThrow()
    expect(() => spec.given().when('break').thenState(true)).toThrow()
  })
})

describe('the event store in memory', () => {
  const options = { types: [tallyType], publish: publishTally, clock: systemClock, app: 'test' }

  it('gives each command an answer that its history explains', async () => {
    await fc.assert(
      fc.asyncProperty(waves(4, 12), async (groups) => {
        const data = new MemoryStoreData('one')
        await runAgainstModel([memoryEventStore({ ...options, data }), memoryEventStore({ ...options, data })], groups, 'm')
      }),
    )
  })

  it('keeps after a crash what was committed, and nothing of an open transaction', async () => {
    const data = new MemoryStoreData()
    const store = memoryEventStore({ ...options, data })
    await store.execute(change('c-1', 'crash', 1))
    const open = Promise.withResolvers<void>()
    const dying = memoryTransactions().run(async (tx) => {
      await store.executeAll([change('c-2', 'crash', 10)], tx)
      data.crash()
      await open.promise
    })
    const restarted = memoryEventStore({ ...options, data })
    expect((await restarted.execute(change('c-3', 'crash', 1))).answer).toBe('total 2')
    open.resolve()
    await expect(dying).rejects.toThrow('killed')
    expect((await restarted.load(tally('crash'))).state.total).toBe(2)
    expect(streamName(tally('crash'))).toBe('tally-crash')
  })

  it('makes others wait while a transaction holds it', async () => {
    const store = memoryEventStore(options)
    let waiting: Promise<unknown> = Promise.resolve()
    await memoryTransactions().run(async (tx) => {
      await store.executeAll([change('h-1', 'held', 1)], tx)
      waiting = store.execute(change('h-2', 'held', 1))
      expect((await store.load(tally('held'))).version).toBe(0)
    })
    expect(await waiting).toEqual({ answer: 'total 2', replayed: false })
  })
})
