import { describe, expect, it } from '@jest/globals'
import { eventType, EventTypes, UnknownEvent, type StreamType } from '#event-store'
import { evolutionFaults, memoryEventStore, MemoryStoreData, missingFixtures, type EventFixture } from '#event-store/testing'
import { systemClock, type JsonObject } from '#kernel'
import Type from 'typebox'
import { shapeOf, typeOfStream, typesByCategory } from './stream.js'
import { commandOf } from './testing/tally.js'

/** A lamp, over three versions of one event: at first only lit or not, then with a level in percent, then in thousandths. */
const lit = [
  eventType('Lit', Type.Object({ on: Type.Boolean() })),
  eventType('Lit', Type.Object({ percent: Type.Integer({ minimum: 0, maximum: 100 }) }), ({ on }) => ({ percent: on === true ? 100 : 0 })),
  eventType(
    'Lit',
    Type.Object({ thousandths: Type.Integer({ minimum: 0, maximum: 1_000 }) }),
    ({ on }) => ({ percent: on === true ? 100 : 0 }),
    ({ percent }) => ({ thousandths: Number(percent) * 10 }),
  ),
] as const

type Lamp = { readonly seen: readonly JsonObject[] }
const lampOf = (version: 1 | 2 | 3): StreamType<Lamp> => ({
  category: 'lamp',
  initialState: { seen: [] },
  evolve: ({ seen }, { data }) => ({ seen: [...seen, data] }),
  events: new EventTypes([lit[version - 1] ?? lit[0]]),
  snapshotEvery: 0,
})

const lightUp = (type: StreamType<Lamp>, id: string, data: JsonObject) => {
  const stream = { type, id: '1' }
  return commandOf(id, [stream], () => ({ appends: [{ stream, events: [{ type: 'Lit', data }] }], answer: '' }))
}

describe('events over their versions', () => {
  const open = (version: 1 | 2 | 3, data: MemoryStoreData) => {
    const type = lampOf(version)
    const published: JsonObject[] = []
    const publish = ({ data: seen }: { readonly data: JsonObject }) => (published.push(seen), [])
    return { type, published, store: memoryEventStore({ types: [type], publish, clock: systemClock, app: 'test', data }) }
  }

  it('are read as today’s, by folds, readers and publishers, and stay as they were written', async () => {
    const data = new MemoryStoreData()
    for (const [version, written] of [
      [1, { on: true }],
      [2, { percent: 50 }],
      [3, { thousandths: 7 }],
    ] as const) {
      const { store, type } = open(version, data)
      await store.execute(lightUp(type, `v${version}`, written))
    }
    const { store, type, published } = open(3, data)
    const today = [{ thousandths: 1_000 }, { thousandths: 500 }, { thousandths: 7 }]
    expect((await store.load({ type, id: '1' })).state.seen).toEqual(today)
    expect((await store.loadAt({ type, id: '1' }, { version: 2 })).state.seen).toEqual(today.slice(0, 2))
    const read: unknown[] = []
    for await (const { schemaVersion, data: seen } of store.readStream('lamp-1')) read.push([schemaVersion, seen])
    expect(read).toEqual(today.map((each, at) => [at + 1, each]))
    await store.outbox.after(0n, 10)
    expect(published).toEqual(today)
    expect(data.events.map(({ payload }) => payload.toString())).toEqual(['{"on":true}', '{"percent":50}', '{"thousandths":7}'])
    expect(await store.verify('lamp-1')).toMatchObject({ ok: true })
  })

  it('are refused by a process that is older than they are', async () => {
    const data = new MemoryStoreData()
    const newer = open(3, data)
    await newer.store.execute(lightUp(newer.type, 'new', { thousandths: 1 }))
    const older = open(2, data)
    await expect(older.store.load({ type: older.type, id: '1' })).rejects.toBeInstanceOf(UnknownEvent)
  })

  it('are not written otherwise than their schema says, and the error tells no value', async () => {
    const { store, type } = open(2, new MemoryStoreData())
    const wrong = store.execute(lightUp(type, 'wrong', { percent: 'a secret' }))
    await expect(wrong).rejects.toThrow('Lit v2 is not as registered: /percent (type)')
    await expect(wrong).rejects.not.toThrow('a secret')
    const stream = { type, id: '1' }
    const unknown = commandOf('unknown', [stream], () => ({ appends: [{ stream, events: [{ type: 'Out', data: {} }] }], answer: '' }))
    await expect(store.execute(unknown)).rejects.toBeInstanceOf(UnknownEvent)
    expect(await store.load(stream)).toMatchObject({ version: 0 })
  })

  it('are checked whichever object names their stream', async () => {
    const { store } = open(2, new MemoryStoreData())
    const { events: _, ...bare } = lampOf(2)
    await expect(store.execute(lightUp(bare, 'bare', { percent: 101 }))).rejects.toThrow('/percent (maximum)')
    await store.execute(lightUp(bare, 'bare', { percent: 100 }))
    expect((await store.load({ type: bare, id: '1' })).state.seen).toEqual([{ percent: 100 }])
  })

  it('make old snapshots stale when an upcast changes', () => {
    expect(new Set([shapeOf(lampOf(1)), shapeOf(lampOf(2)), shapeOf(lampOf(3))]).size).toBe(3)
  })

  it('belong to the longest category that their stream begins with', () => {
    const [one, other] = [lampOf(1), { ...lampOf(1), category: 'lamp-post' }]
    const types = typesByCategory([one, other] as never)
    expect(['lamp-1', 'lamp-post-1', 'lamp-postal-1', 'lamps-1', 'lamp'].map((name) => typeOfStream(types, name)?.category)).toEqual([
      'lamp',
      'lamp-post',
      'lamp',
      undefined,
      undefined,
    ])
  })
})

describe('the check of versions', () => {
  const types = (version: 1 | 2 | 3) => [lampOf(version)] as never
  const first = missingFixtures(lampOf(1) as never, [[{ type: 'Lit', data: { on: true } }]], [])
  const both = [...first, ...missingFixtures(lampOf(2) as never, [[{ type: 'Lit', data: { percent: 1 } }]], first)]

  it('is content with what it was given', () => {
    expect(evolutionFaults(types(1), first)).toEqual([])
    expect(evolutionFaults(types(2), both)).toEqual([])
    expect(both.map(({ version }) => version)).toEqual([1, 2])
  })

  it('finds a schema that changed in place', () => {
    const planted = { ...lampOf(2), events: new EventTypes([{ ...lit[1], schema: Type.Object({ percent: Type.Number() }) }]) }
    expect(evolutionFaults([planted] as never, both)).toEqual([
      'lamp: Lit v2 has another schema than it was written by: give it a new version and an upcast',
    ])
  })

  it('finds a new version without a fixture, and one that is gone', () => {
    expect(evolutionFaults(types(3), both)).toEqual(['lamp: Lit v3 has no fixture'])
    expect(evolutionFaults(types(1), both)).toEqual(['lamp: Lit v2: Lit v2 is not known here: the newest is v1'])
    expect(evolutionFaults([], first)).toEqual(['lamp: Lit v1 was written, and its category is not registered'])
  })

  it('finds an upcast that does not lead to today’s schema, and an event that does not fold', () => {
    const wrong = { ...lampOf(2), events: new EventTypes([{ ...lit[1], upcasts: [({ on }) => ({ percent: on ?? 0 })] }]) }
    expect(evolutionFaults([wrong] as never, both)).toEqual(['lamp: Lit v1: Lit v2 is not as registered: /percent (type)'])
    const broken = {
      ...lampOf(1),
      evolve: () => {
        throw new Error('of a lamp that was never made')
      },
    }
    expect(evolutionFaults([broken] as never, first as readonly EventFixture[])).toEqual(['lamp: Lit v1: of a lamp that was never made'])
  })
})
