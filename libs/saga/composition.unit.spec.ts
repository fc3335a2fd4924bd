import { describe, expect, it } from '@jest/globals'
import type { OutgoingMessage } from '#kernel'
import {
  activity,
  actionKey,
  command,
  defineSaga,
  mermaidOf,
  sagaIdFor,
  statusOf,
  subSaga,
  waitFor,
  type ActivityOutcome,
  type AnySaga,
  type Call,
  type SagaInput,
} from '#saga'
import { SagaBench, type BenchOptions } from '#saga/testing'

type Party = { readonly cake?: string; readonly band?: string; readonly song?: string }

const send =
  (type: string) =>
  (_: unknown, { id, replyTo, context }: Call): OutgoingMessage => ({
    topic: 'party.commands',
    key: 'k',
    type,
    schemaVersion: 1,
    data: { replyTo },
    context,
    id,
  })

const id = sagaIdFor('party', 'k-1')
const context = { correlationId: 'k-1', causationId: 'test' }
const start: SagaInput = { kind: 'start', id: 'start', sagaId: id, context, type: 'party', correlationKey: 'k-1', data: {} }
const told = (name: string): SagaInput => ({ kind: 'message', id: `told ${name}`, sagaId: id, context, name, body: { song: 'Vande' } })
const done = (result = {}): ActivityOutcome => ({ outcome: 'succeeded', result })
const no: ActivityOutcome = { outcome: 'refused', slug: 'no', detail: 'not today' }

const bench = (definitions: readonly AnySaga[], outcomes: Record<string, ActivityOutcome>, crash?: BenchOptions['crash']) => {
  const runs: string[] = []
  const act = (name: string) => async () => {
    runs.push(name)
    return outcomes[name] ?? done()
  }
  const activities = Object.fromEntries(['bake', 'unbake', 'hire', 'unhire', 'dance', 'pay', 'refund'].map((name) => [name, act(name)]))
  const made = new SagaBench({ definitions, activities, answer: () => ({ accepted: {} }), ...(crash ? { crash } : {}) })
  return Object.assign(made, { runs })
}

/** Kills the process at every transaction, before and after: the end must be the same each time. */
const everywhere = async (make: (crash?: BenchOptions['crash']) => ReturnType<typeof bench>, check: (run: SagaBench) => Promise<void>) => {
  const whole = make()
  await whole.apply(start)
  await whole.run()
  await check(whole)
  expect(whole.transactions).toBeGreaterThan(3)
  for (let at = 1; at <= whole.transactions; at++)
    for (const when of ['before', 'after'] as const) {
      const run = make({ at, when })
      await run.apply(start)
      await run.run()
      await check(run)
      expect([at, when, run.errors, run.store.tasks()]).toEqual([at, when, [], []])
    }
}

describe('steps side by side', () => {
  const party = defineSaga<Party>({
    type: 'party',
    version: 1,
    steps: [
      { name: 'rent-hall', does: command(send('RentHall')), undo: command(send('ReturnHall')) },
      {
        name: 'bake-cake',
        does: activity('bake', { input: () => ({}), learns: () => ({ cake: 'yes' }) }),
        undo: activity('unbake', { input: () => ({}) }),
        refusedBecause: 'no-cake',
      },
      {
        name: 'hire-band',
        beside: true,
        does: activity('hire', { input: () => ({}), learns: () => ({ band: 'yes' }) }),
        undo: activity('unhire', { input: () => ({}) }),
        refusedBecause: 'no-band',
      },
      { name: 'await-song', beside: true, when: ({ song }) => song === undefined, does: waitFor('song', { window_ms: 60_000 }) },
      { name: 'invite', pivot: true, does: command(send('Invite')) },
      { name: 'dance', does: activity('dance', { input: () => ({}) }) },
    ],
  })

  it('begin together, and what follows waits for all of them', async () => {
    const run = bench([party], {})
    await run.apply(start)
    await run.run(1_000)
    const half = await run.state(id)
    expect([half.current, run.runs.toSorted()]).toEqual([
      ['bake-cake', 'hire-band', 'await-song'],
      ['bake', 'hire'],
    ])
    expect([statusOf(half), run.sent.map(({ type }) => type)]).toEqual(['WAITING', ['RentHall']])
    await run.apply(told('song'))
    await run.run()
    const state = await run.state(id)
    expect([statusOf(state), state.data]).toEqual(['COMPLETED', { cake: 'yes', band: 'yes' }])
    expect(run.sent.map(({ type }) => type)).toEqual(['RentHall', 'Invite'])
  })

  it('are all undone when one is refused, also those still under way', async () => {
    await everywhere(
      (crash) => bench([party], { hire: no }, crash),
      async (run) => {
        const state = await run.state(id)
        expect([statusOf(state), state.failure?.reason, state.steps['await-song']?.status]).toEqual([
          'COMPENSATED',
          'no-band',
          'interrupted',
        ])
        expect(Object.keys(state.undos).sort()).toEqual(['bake-cake', 'rent-hall'])
      },
    )
  })

  it('take a message that came before them', async () => {
    const run = bench([party], {})
    await run.apply(told('song'), start)
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
  })

  it('are drawn side by side', () => {
    expect(mermaidOf(party)).toContain('rent_hall --> bake_cake & hire_band & await_song')
    expect(mermaidOf(party)).toContain('bake_cake & hire_band & await_song --> invite')
  })

  it('are refused beside a pivot, and beside nothing', () => {
    const does = command<Party>(send('A'))
    const define = (...steps: Parameters<typeof defineSaga<Party>>[0]['steps']) => defineSaga<Party>({ type: 'x', version: 1, steps })
    expect(() => define({ name: 'a', does, pivot: true }, { name: 'b', does, beside: true })).toThrow('beside a pivot')
    expect(() => define({ name: 'a', does }, { name: 'b', does, beside: true, pivot: true })).toThrow('beside a pivot')
    expect(() => define({ name: 'a', does, beside: true })).toThrow('beside nothing')
  })
})

describe('a saga as a step of another', () => {
  const booking = defineSaga({
    type: 'booking',
    version: 1,
    steps: [
      {
        name: 'pay',
        does: activity('pay', { input: () => ({}), learns: ({ receipt }) => ({ receipt: String(receipt) }) }),
        undo: activity('refund', { input: () => ({}) }),
      },
      { name: 'play', does: activity('dance', { input: () => ({}) }), refusedBecause: 'no-music' },
    ],
    results: ({ data }) => ({ receipt: data['receipt'] ?? null }),
  })
  const party = defineSaga<Party>({
    type: 'party',
    version: 1,
    steps: [
      { name: 'rent-hall', does: command(send('RentHall')), undo: command(send('ReturnHall')) },
      {
        name: 'book-band',
        does: subSaga('booking', { data: () => ({}), learns: ({ receipt }) => ({ band: String(receipt) }) }),
        refusedBecause: (slug) => `band-${slug}`,
      },
      { name: 'invite', does: command(send('Invite')) },
    ],
  })
  const child = sagaIdFor('booking', actionKey({ sagaId: id, step: 'book-band', side: 'do', round: 1 }))

  it('is waited for, and tells what it learned', async () => {
    await everywhere(
      (crash) => bench([party, booking], { pay: done({ receipt: 'r-7' }) }, crash),
      async (run) => {
        const state = await run.state(id)
        expect([statusOf(state), state.data, statusOf(await run.state(child))]).toEqual(['COMPLETED', { band: 'r-7' }, 'COMPLETED'])
        expect(new Set(run.sent.map((message) => message.id)).size).toBe(2)
      },
    )
  })

  it('turns its parent back when it was wholly undone', async () => {
    await everywhere(
      (crash) => bench([party, booking], { dance: no }, crash),
      async (run) => {
        const state = await run.state(id)
        expect([statusOf(state), state.failure?.reason]).toEqual(['COMPENSATED', 'band-no-music'])
        expect([statusOf(await run.state(child)), Object.keys(state.undos)]).toEqual(['COMPENSATED', ['rent-hall']])
      },
    )
  })

  it('keeps its parent waiting while it needs an operator, and frees it when helped', async () => {
    const outcomes: Record<string, ActivityOutcome> = { pay: { outcome: 'unknown', detail: 'no answer' } }
    const run = bench([party, booking], outcomes)
    await run.apply(start)
    await run.run()
    expect([statusOf(await run.state(id)), statusOf(await run.state(child))]).toEqual(['RUNNING', 'NEEDS_ATTENTION'])
    expect((await run.store.instance(id))?.waitingFor).toBe('end of the saga of book-band')
    outcomes['pay'] = done({ receipt: 'r-8' })
    const operator = { action: 'retry' } as const
    await run.apply({ kind: 'operator', id: 'help', sagaId: child, context, by: 'ops', reason: 'a test', operator })
    await run.run()
    expect((await run.state(id)).data).toEqual({ band: 'r-8' })
  })
})
