import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openEventStore, type EventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { defineSaga, pgSagaStore, SagaDefinitions, SagaEngine, sagaIdFor, sagaRef, sagaStream, waitFor, type SagaInput } from '#saga'
import { userInfo } from 'node:os'
import type pg from 'pg'
import { migrations } from '../../payment-saga/migrations.js'
import type { Io } from './io.js'
import { runProgram } from './program.js'
import * as saga from './verbs/saga.js'

type Rent = { readonly flat: string; readonly deposit?: string }

const wait = (name: string) => ({ name, does: waitFor<Rent>(name, { window_ms: 3_600_000 }) })
const one = defineSaga<Rent>({ type: 'rent', version: 1, steps: [wait('viewed'), wait('haggled'), wait('signed')] })
const two = defineSaga<Rent>({
  type: 'rent',
  version: 2,
  steps: [wait('viewed'), wait('signed')],
  migrates: ({ flat }) => ({ flat: String(flat), deposit: 'asked for' }),
})

const idOf = (flat: string): string => sagaIdFor('rent', flat)
const [A, B, C] = ['A', 'B', 'C'].map(idOf) as [string, string, string]
let database: TestDatabase
let pool: pg.Pool
let store: EventStore

beforeAll(async () => {
  database = await createTestDatabase(migrations)
  pool = createPool(database)
  store = await openEventStore({ pool, postgres: database, types: [sagaStream], publish: () => [], clock: systemClock, app: 'test' })
  await apply(
    one,
    ...['A', 'B', 'C'].map(startOf),
    // C haggles, which v2 does not know.
    { kind: 'message', id: 'C viewed', sagaId: C, context, name: 'viewed', body: {} },
  )
})
afterAll(async () => {
  await store.close()
  await pool.end()
  await database.drop()
})

const context = { correlationId: 'c', causationId: 'test' }
const startOf = (flat: string): SagaInput => ({
  kind: 'start',
  id: `start ${flat}`,
  sagaId: idOf(flat),
  context,
  type: 'rent',
  correlationKey: flat,
  data: { flat },
})
const actsOn = async (sagaId: string) => {
  const acts = []
  for await (const event of store.readStream(`saga-${sagaId}`)) if (event.type === 'OperatorActed') acts.push(event.data)
  return acts
}
const apply = (definition: typeof one, ...inputs: readonly SagaInput[]) => {
  const definitions = new SagaDefinitions([definition])
  const engine = new SagaEngine({ commands: store, store: pgSagaStore(pool, database), definitions, clock: systemClock, app: 'test' })
  return pgTransactions(pool).run((tx) => engine.apply(inputs, tx))
}

const bahi = async (...words: readonly string[]) => {
  const out: string[] = []
  const said: string[] = []
  const io: Io = {
    out: (line) => Promise.resolve(void out.push(line)),
    say: (line) => void said.push(line),
    env: {},
    signal: new AbortController().signal,
    exitCode: 0,
  }
  // The next release, which has v2 alone.
  const verbs = [{ register: (...[program, its]: Parameters<typeof saga.register>) => saga.register(program, its, [two]) }]
  await runProgram(verbs, io, ['saga', ...words, '--url', database.url, '--schema', database.schema])
  return { code: io.exitCode, out, said }
}
const migrate = (...more: readonly string[]) =>
  bahi('migrate', '--type', 'rent', '--from', '1', '--to', '2', '--reason', 'no more haggling', ...more)

const versions = async () => {
  const { out } = await bahi('list', '--type', 'rent', '--json')
  const rows = out.map((line) => JSON.parse(line) as { sagaId: string; definition: number })
  return Object.fromEntries(rows.map(({ sagaId, definition }) => [sagaId, definition]))
}

describe('bahi saga', () => {
  it('migrate says first which would be moved, and changes nothing', async () => {
    const { code, out, said } = await migrate('--dry-run')
    expect(out.toSorted()).toEqual(
      [
        `${A}  WAITING  would be moved to v2`,
        `${B}  WAITING  would be moved to v2`,
        `${C}  WAITING  stays: v2 does not fit: it has no haggled`,
      ].toSorted(),
    )
    expect([code, said]).toEqual([1, ['2 of 3 would be moved to v2']])
    expect(await versions()).toEqual({ [A]: 1, [B]: 1, [C]: 1 })
    expect((await store.load(sagaRef(A))).state).toMatchObject({ definition: 1, data: { flat: 'A' } })
  })

  it('migrate moves those that fit, with who and why, and exits with 1 while one does not', async () => {
    const { code, out, said } = await migrate('--json')
    const items = out.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(items.toSorted((a, b) => String(a['correlationKey']).localeCompare(String(b['correlationKey'])))).toMatchObject([
      { sagaId: A, result: 'applied', dryRun: false },
      { sagaId: B, result: 'applied' },
      { sagaId: C, result: 'refused', detail: 'v2 does not fit: it has no haggled' },
    ])
    expect([code, said]).toEqual([1, ['2 of 3 moved to v2']])
    expect(await versions()).toEqual({ [A]: 2, [B]: 2, [C]: 1 })
    const { state } = await store.load(sagaRef(A))
    expect(state).toMatchObject({ definition: 2, data: { flat: 'A', deposit: 'asked for' } })
    expect(await actsOn(A)).toMatchObject([{ action: 'migrate', by: userInfo().username, reason: 'no more haggling' }])
  })

  it('lists what still holds a version, and what was moved ends under the new one', async () => {
    const { out } = await bahi('list', '--definition', '1')
    expect(out).toEqual([expect.stringMatching(new RegExp(`^${C}  rent v1  WAITING  about C  since 2\\S+Z  message haggled$`))])
    const messages = ['viewed', 'signed'].map((name): SagaInput => ({
      kind: 'message',
      id: `A ${name}`,
      sagaId: A,
      context,
      name,
      body: {},
    }))
    await apply(two, ...messages)
    expect((await bahi('list', '--status', 'COMPLETED')).out).toEqual([
      expect.stringMatching(new RegExp(`^${A}  rent v2  COMPLETED  about A  since 2\\S+Z$`)),
    ])
    expect(await bahi('list', '--status', 'NEEDS_ATTENTION')).toMatchObject({ code: 0, out: [], said: ['there is no such saga'] })
  })

  it('refuses what is no version', async () => {
    const { code, said } = await bahi('migrate', '--type', 'rent', '--from', 'x', '--to', '2', '--reason', 'r')
    expect([code, said.join(' ')]).toEqual([1, expect.stringContaining('It is a whole number from 1.')])
  })

  it('reads the times of steps when a hand is laid on a saga: whatever they are set to, what needs none works', async () => {
    const said: string[] = []
    const io: Io = {
      out: () => Promise.resolve(),
      say: (line) => void said.push(line),
      env: { UPI_WINDOW_SECONDS: 'soon' },
      signal: new AbortController().signal,
      exitCode: 0,
    }
    const place = ['--url', database.url, '--schema', database.schema]
    await runProgram([saga], io, ['saga', 'list', ...place])
    expect([io.exitCode, said]).toEqual([0, []])
    await runProgram([saga], io, ['saga', 'compensate', C, '--reason', 'r', ...place])
    expect([io.exitCode, said.join()]).toEqual([1, expect.stringContaining('UPI_WINDOW_SECONDS: must be')])
  })

  it('shows a saga, by its id and by what it is about: its steps, what it waits for, and who did what', async () => {
    const { code, out } = await bahi('show', C)
    expect(code).toBe(0)
    expect(out[0]).toBe('rent v1  WAITING  about C')
    expect(out).toContainEqual(expect.stringMatching(/^ {2}haggled +running {2}begun 2.*timer 2/))
    expect(out).toContainEqual(expect.stringMatching(/ActionSucceeded {2}viewed/))
    expect((await bahi('show', 'C')).out).toEqual(out)
    const [json] = (await bahi('show', 'C', '--json')).out
    expect(JSON.parse(json ?? '')).toMatchObject({
      sagaId: C,
      steps: [{ step: 'viewed' }, { step: 'haggled' }],
      timeline: expect.any(Array),
    })
    expect(await bahi('show', 'D')).toMatchObject({ code: 1, out: [], said: ['bahi: there is no saga D, and none about it'] })
  })

  it('lays a hand on those that are named, first dry: settles a step by evidence, and turns back, with who and why', async () => {
    const settle = ['resume', 'B', '--step', 'viewed', '--outcome', 'succeeded', '--evidence', 'the caretaker says so']
    expect(await bahi(...settle, '--dry-run')).toMatchObject({ code: 0, out: [`${B}  WAITING  would be settled`] })
    expect((await store.load(sagaRef(B))).state.current).toEqual(['viewed'])
    expect(await bahi(...settle)).toMatchObject({ code: 0, out: [`${B}  WAITING  settled`], said: ['1 of 1 settled'] })
    expect((await store.load(sagaRef(B))).state.current).toEqual(['signed'])
    expect(await bahi(...settle)).toMatchObject({ code: 1, out: [`${B}  WAITING  stays: viewed has succeeded`] })
    expect(await bahi('resume', B, '--step', 'sighed', '--outcome', 'refused', '--evidence', 'e')).toMatchObject({
      code: 1,
      out: [`${B}  WAITING  stays: it has no step sighed; it has viewed, signed`],
    })
    expect(await bahi('compensate', B, '--reason', 'nobody signs')).toMatchObject({ code: 0, out: [`${B}  WAITING  turned back`] })
    const { out } = await bahi('show', B)
    expect(out).toContainEqual(expect.stringMatching(/OperatorActed {2}viewed {2}action resume .*the caretaker says so/))
    expect(out).toContain('  turned back at signed: operator')
    expect(await bahi('retry', '--type', 'rent', '--status', 'COMPENSATED', '--reason', 'r')).toMatchObject({
      code: 1,
      out: [`${B}  COMPENSATED  stays: it does not wait for an operator`],
    })
  })

  it('lays a hand on all of a filter, with who and why on each: one that cannot be helped keeps no other from it', async () => {
    const [D, E] = ['D', 'E'].map(idOf) as [string, string]
    await apply(two, ...['D', 'E'].map(startOf))
    const { code, out, said } = await bahi('compensate', '--type', 'rent', '--status', 'WAITING', '--reason', 'the house is sold')
    // C is on a version that this release lacks.
    const lines = [D, E].map((id) => `${id}  WAITING  turned back`)
    expect(out.toSorted()).toEqual([...lines, `${C}  WAITING  failed: it is as it was`].toSorted())
    expect([code, said]).toEqual([1, ['2 of 3 turned back']])
    const act = { action: 'compensate', by: userInfo().username, reason: 'the house is sold' }
    expect([await actsOn(C), await actsOn(D), await actsOn(E)]).toMatchObject([[], [act], [act]])
    expect((await store.load(sagaRef(D))).state.phase).not.toBe('forward')
  })

  it.each([
    [['retry', '--reason', 'r'], 'say which sagas'],
    [['retry', 'C', '--type', 'rent', '--reason', 'r'], 'say which sagas'],
    [['compensate', 'C'], "'--reason <text>' not specified"],
    [['compensate', 'C', '--reason', ' '], 'It is a text of 1 to 500 characters'],
    // The reason was left out, and would be this; nothing would be dry.
    [['compensate', 'C', '--reason', '--dry-run'], 'It is a text of 1 to 500 characters'],
    [['resume', 'C', '--step', 'haggled', '--outcome', 'succeeded', '--evidence', ''], 'It is a text of 1 to 1000 characters'],
    [['list', '--stuck-for', 'long'], 'It is a number of seconds'],
    [['resume', 'C', '--step', 'haggled', '--outcome', 'succeeded', '--evidence', 'e', '--captured', '1.50'], 'It is a number of paise'],
  ])('refuses %j', async (words, why) => {
    const { code, out, said } = await bahi(...words)
    expect([code, out, said.join(' ')]).toEqual([1, [], expect.stringContaining(why)])
  })
})
