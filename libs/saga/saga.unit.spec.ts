import { describe, expect, it } from '@jest/globals'
import type { StatesOf } from '#event-store'
import type { JsonObject, OutgoingMessage } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import {
  actionKey,
  activity,
  attentionsOf,
  command,
  defineSaga,
  mermaidOf,
  parseActionKey,
  react,
  SagaDefinitions,
  SagaEngine,
  sagaIdFor,
  statusOf,
  waitFor,
  type ActivityOutcome,
  type Call,
  type SagaInput,
} from '#saga'
import { SagaBench, type BenchAnswer, type BenchOptions } from '#saga/testing'

type Trip = { readonly city: string; readonly paid?: string; readonly guide?: string }

const to =
  (type: string) =>
  ({ data }: { data: Trip }, { id, replyTo, context }: Call): OutgoingMessage => ({
    topic: 'trip.commands',
    key: data.city,
    type,
    schemaVersion: 1,
    data: { replyTo, city: data.city },
    context,
    id,
  })

/** Hotel, payment, ticket (the pivot), guide: one step of each kind on both sides of the pivot. */
const trip = defineSaga<Trip>({
  type: 'trip',
  version: 1,
  steps: [
    { name: 'plan', undo: command(to('DropPlan')) },
    { name: 'book-hotel', does: command(to('BookHotel')), undo: command(to('CancelHotel')), refusedBecause: 'no-hotel' },
    {
      name: 'pay',
      does: activity('pay', {
        input: ({ data }) => ({ city: data.city }),
        window_ms: 60_000,
        learns: ({ paid }) => ({ paid: String(paid) }),
      }),
      undo: activity('repay', { input: () => ({}), attempts: 5, learns: () => ({ paid: 'back' }) }),
      expiredBecause: 'not-paid',
    },
    { name: 'issue-ticket', pivot: true, does: command(to('IssueTicket')), refusedBecause: 'no-ticket' },
    {
      name: 'await-guide',
      when: ({ city }) => city === 'Hampi',
      does: waitFor('guide-found', { window_ms: 1_000, learns: ({ name }) => ({ guide: String(name) }) }),
    },
    { name: 'send-papers', does: activity('send', { input: () => ({}), attempts: 3 }) },
  ],
  on: {
    'paid-elsewhere': ({ paid }) => ({ settles: { step: 'pay', outcome: 'succeeded', result: { paid: paid ?? null } } }),
    'look-now': () => ({ hastens: 'pay' }),
    'changed-mind': () => ({ turnsBack: 'customer' }),
  },
})

const id = sagaIdFor('trip', 'k-1')
const context = { correlationId: 'k-1', causationId: 'test' }
const start = (city = 'Pune', messageId = 'start'): SagaInput => ({
  kind: 'start',
  id: messageId,
  sagaId: id,
  context,
  type: 'trip',
  correlationKey: 'k-1',
  data: { city },
})
const told = (name: string, body: JsonObject = {}): SagaInput => ({ kind: 'message', id: `told ${name}`, sagaId: id, context, name, body })
const operator = (what: Extract<SagaInput, { kind: 'operator' }>['operator'], messageId = 'op'): SagaInput => ({
  kind: 'operator',
  id: messageId,
  sagaId: id,
  context,
  by: 'support-1',
  reason: 'a customer called',
  operator: what,
})

const ok: ActivityOutcome = { outcome: 'succeeded', result: { paid: 'yes' } }
const unknown: ActivityOutcome = { outcome: 'unknown', detail: 'no answer' }

const bench = (options: Partial<BenchOptions> & { refuse?: string; outcomes?: Record<string, ActivityOutcome[]> } = {}) => {
  const runs: string[] = []
  const act = (name: string) => async () => {
    runs.push(name)
    const [next, ...rest] = options.outcomes?.[name] ?? [ok]
    if (options.outcomes?.[name] && rest.length > 0) options.outcomes[name] = rest
    return next ?? ok
  }
  const answer = (message: OutgoingMessage): BenchAnswer => (message.type === options.refuse ? { refused: 'no' } : { accepted: {} })
  const activities = { pay: act('pay'), repay: act('repay'), send: act('send') }
  const made = new SagaBench({ definitions: [trip], activities, answer, ...options })
  return Object.assign(made, { runs, types: () => made.sent.map(({ type }) => type) })
}

describe('a saga', () => {
  it('asks at once when somebody knows that something happened', async () => {
    const run = bench({ outcomes: { pay: [unknown, unknown, unknown, unknown, unknown, ok] } })
    await run.apply(start())
    await run.run(10_000)
    const { runAt = 0, attempts } = (await run.state(id)).steps['pay'] ?? {}
    expect([attempts, runAt > run.clock.now()]).toEqual([5, true])
    await run.apply(told('look-now'))
    expect((await run.state(id)).steps['pay']?.runAt).toBe(run.clock.now())
    await run.run(0)
    expect((await run.state(id)).steps['pay']?.status).toBe('succeeded')
    // It is over: there is nothing to hasten.
    await run.apply({ ...told('look-now'), id: 'again' })
    expect((await run.state(id)).steps['pay']?.status).toBe('succeeded')
  })

  it.each([
    ['for the first time', 1],
    ['again', 3],
  ])('begins no run beside one that asks %s: that somebody knows is written down, and the next run has its time', async (_, nth) => {
    let runs = 0
    const due: unknown[] = []
    const pay = async (): Promise<ActivityOutcome> => {
      if (++runs !== nth) return unknown
      run.clock.advance(100)
      await run.apply(told('look-now'))
      due.push(await run.store.claim({ limit: 1, lease_ms: 1_000 }))
      return unknown
    }
    const run = bench({ activities: { pay } })
    await run.apply(start())
    await run.run(5_000)
    expect([due, runs > nth]).toEqual([[[]], true])
    expect((await run.state(id)).messages).toHaveProperty('look-now')
  })

  it.each([
    [0, false],
    [2, true],
  ])('when its time is over is asked once more after %i runs, and not beside the first', async (runs, again) => {
    const seen: unknown[] = []
    const pay = async ({ attempt }: { attempt: number }): Promise<ActivityOutcome> => {
      const before = await run.state(id)
      const at = before.startedAt + 60_000
      const reaction = react(trip, before, { kind: 'timer', id: 't', sagaId: id, context }, { at, version: 9 })
      if (attempt === runs + 1 && 'state' in reaction) {
        const { closing, runAt, dueAt } = reaction.state.steps['pay'] ?? {}
        seen.push([closing, runAt === at, (dueAt ?? 0) > at, runAt !== before.steps['pay']?.runAt])
      }
      return unknown
    }
    const run = bench({ activities: { pay } })
    await run.apply(start())
    await run.run(20_000)
    expect(seen).toEqual([[true, again, true, again]])
  })

  it('begins no run beside the first one by a clock that is behind', async () => {
    let noted: unknown
    const pay = async (): Promise<ActivityOutcome> => {
      const reaction = react(trip, await run.state(id), told('look-now'), { at: run.clock.now() - 1_000, version: 9 })
      noted ??= 'events' in reaction && reaction.events.map(({ type }) => type)
      return ok
    }
    const run = bench({ activities: { pay, send: pay } })
    await run.apply(start())
    await run.run()
    expect(noted).toEqual(['MessageReceived', 'InputNoted'])
  })

  it('goes through its steps and ends', async () => {
    const run = bench()
    await run.apply(start())
    await run.run()
    const state = await run.state(id)
    expect(statusOf(state)).toBe('COMPLETED')
    expect(run.types()).toEqual(['BookHotel', 'IssueTicket'])
    expect(run.runs).toEqual(['pay', 'send'])
    expect(state.data).toEqual({ city: 'Pune', paid: 'yes' })
    expect(run.store.tasks()).toEqual([])
    expect(await run.store.instance(id)).toMatchObject({ status: 'COMPLETED', type: 'trip', correlationKey: 'k-1' })
  })

  it('starts once per correlation key, whatever asks for it', async () => {
    const run = bench()
    await run.apply(start('Pune', 'a'), start('Goa', 'b'), start('Pune', 'a'))
    await run.run()
    expect(run.types()).toEqual(['BookHotel', 'IssueTicket'])
    expect((await run.state(id)).data).toMatchObject({ city: 'Pune' })
  })

  it('undoes what it may have done when a step is refused, and not what was refused', async () => {
    const run = bench({ refuse: 'IssueTicket' })
    await run.apply(start())
    await run.run()
    const state = await run.state(id)
    expect(statusOf(state)).toBe('COMPENSATED')
    expect(state.failure).toMatchObject({ step: 'issue-ticket', reason: 'no-ticket' })
    expect(run.types().sort()).toEqual(['BookHotel', 'CancelHotel', 'DropPlan', 'IssueTicket'])
    expect(run.runs).toEqual(['pay', 'repay'])

    const early = bench({ refuse: 'BookHotel' })
    await early.apply(start())
    await early.run()
    expect(early.types()).toEqual(['BookHotel', 'DropPlan'])
  })

  it('sends a command again under the same id until it is answered', async () => {
    let lost = 3
    const run = bench({ answer: (message) => (message.type === 'BookHotel' && lost-- > 0 ? 'lost' : { accepted: {} }) })
    await run.apply(start())
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
    const booked = run.sent.filter(({ type }) => type === 'BookHotel')
    expect(booked.length).toBe(4)
    expect(new Set(booked.map((message) => message.id)).size).toBe(1)
  })

  it('calls an operator for a command that is never answered, and goes on by itself should the answer come', async () => {
    const run = bench({ answer: (message) => (message.type === 'BookHotel' ? 'lost' : { accepted: {} }) })
    await run.apply(start())
    await run.run()
    expect(statusOf(await run.state(id))).toBe('NEEDS_ATTENTION')
    const key = actionKey({ sagaId: id, step: 'book-hotel', side: 'do', round: 1 })
    await run.apply({ kind: 'outcome', id: 'late', sagaId: id, context, key, outcome: { outcome: 'succeeded', result: {} } })
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
  })

  it('asks about an unknown outcome, and turns back when its time is over', async () => {
    const settled = bench({ outcomes: { pay: [unknown, unknown, ok] } })
    await settled.apply(start())
    await settled.run()
    expect(statusOf(await settled.state(id))).toBe('COMPLETED')
    expect(settled.runs).toEqual(['pay', 'pay', 'pay', 'send'])

    const never = bench({ outcomes: { pay: [unknown] } })
    await never.apply(start())
    await never.run()
    const state = await never.state(id)
    expect([statusOf(state), state.failure?.reason]).toEqual(['COMPENSATED', 'not-paid'])
    expect(never.clock.now() - state.startedAt).toBeGreaterThanOrEqual(60_000)
  })

  it('waits while an outcome is unknown', async () => {
    const run = bench({ outcomes: { pay: [unknown] } })
    await run.apply(start())
    await run.run(5_000)
    expect(statusOf(await run.state(id))).toBe('WAITING')
    expect(await run.store.instance(id)).toMatchObject({ waitingFor: 'unknown outcome of pay' })
  })

  it('hands a compensation that stays unknown to an operator, who may try it again or say what happened', async () => {
    const run = bench({ refuse: 'IssueTicket', outcomes: { repay: [unknown, unknown, unknown, unknown, unknown, ok] } })
    await run.apply(start())
    await run.run()
    const stuck = await run.state(id)
    expect(statusOf(stuck)).toBe('NEEDS_ATTENTION')
    expect(attentionsOf(stuck)).toMatchObject([{ step: 'pay', side: 'undo' }])
    await run.apply(operator({ action: 'retry' }))
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPENSATED')

    const word = bench({ refuse: 'IssueTicket', outcomes: { repay: [unknown] } })
    await word.apply(start())
    await word.run()
    await word.apply(operator({ action: 'resume', step: 'pay', outcome: 'succeeded', evidence: 'bank statement' }))
    await word.run()
    expect(statusOf(await word.state(id))).toBe('COMPENSATED')
  })

  it('waits for an operator with each action that needs one: none hides another', async () => {
    const outcomes: Record<string, ActivityOutcome[]> = { repay: [unknown] }
    const answer = ({ type }: OutgoingMessage): BenchAnswer =>
      type === 'CancelHotel' || type === 'IssueTicket' ? { refused: 'no' } : { accepted: {} }
    const run = bench({ outcomes, answer })
    await run.apply(start())
    await run.run()
    const waiting = ({ attention }: { attention?: object }) => attention !== undefined
    const stuck = await run.state(id)
    expect(attentionsOf(stuck).map(({ step, side }) => [step, side])).toEqual([
      ['pay', 'undo'],
      ['book-hotel', 'undo'],
    ])
    expect((await run.store.instance(id))?.waitingFor).toMatch(/operator: pay \(undo\).*operator: book-hotel \(undo\)/)

    // Helping one leaves the other seen, whichever comes first.
    outcomes['repay'] = [ok]
    await run.apply(operator({ action: 'retry', step: 'pay' }))
    await run.run()
    const half = await run.state(id)
    expect([statusOf(half), Object.values(half.undos).filter(waiting).length]).toEqual(['NEEDS_ATTENTION', 1])
    expect(await run.apply(operator({ action: 'retry', step: 'pay' }, 'op2'))).toMatchObject([{ slug: 'invalid-transition' }])
    await run.apply(operator({ action: 'resume', step: 'book-hotel', outcome: 'succeeded', evidence: 'the hotel called' }, 'op3'))
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPENSATED')
  })

  it('retries all that waits for an operator unless a step is named', async () => {
    const outcomes: Record<string, ActivityOutcome[]> = { repay: [unknown] }
    let mended = false
    const answer = ({ type }: OutgoingMessage): BenchAnswer =>
      type === 'IssueTicket' || (type === 'CancelHotel' && !mended) ? { refused: 'no' } : { accepted: {} }
    const run = bench({ outcomes, answer })
    await run.apply(start())
    await run.run()
    outcomes['repay'] = [ok]
    mended = true
    await run.apply(operator({ action: 'retry' }))
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPENSATED')
    // The refused one was another call, the unknown one the same.
    expect(run.sent.filter(({ type }) => type === 'CancelHotel').map((message) => message.id?.endsWith(':2'))).toEqual([false, true])
  })

  describe("tried again after a person's word that it did not happen", () => {
    const no = operator({ action: 'resume', step: 'book-hotel', outcome: 'refused', evidence: 'the hotel knows nothing of it' }, 'no')
    const cancelling = async (answers: readonly BenchAnswer[]) => {
      const left = [...answers]
      const answer = ({ type }: OutgoingMessage): BenchAnswer => {
        if (type === 'IssueTicket') return { refused: 'no' }
        return type === 'CancelHotel' ? ((left.length > 1 ? left.shift() : left[0]) ?? 'lost') : { accepted: {} }
      }
      const run = bench({ answer })
      await run.apply(start())
      await run.run()
      const retry = async (nth: number) => {
        await run.apply(operator({ action: 'retry' }, `retry ${nth}`))
        await run.run()
        return statusOf(await run.state(id))
      }
      const rounds = () => [...new Set(run.sent.filter(({ type }) => type === 'CancelHotel').map((message) => message.id))].map(roundOf)
      return { run, retry, rounds }
    }
    const roundOf = (key: string | undefined) => parseActionKey(key ?? '')?.round

    it('goes out under the same id: the other side, which was away, may have the first one still', async () => {
      const { run, retry, rounds } = await cancelling([...Array<'lost'>(8).fill('lost'), { accepted: {} }])
      await run.apply(no)
      expect(statusOf(await run.state(id))).toBe('NEEDS_ATTENTION')
      expect([await retry(1), rounds()]).toEqual(['COMPENSATED', [1]])
    })

    it('is another call once the other side has refused it too', async () => {
      const { run, retry, rounds } = await cancelling([...Array<'lost'>(8).fill('lost'), { refused: 'no' }, { accepted: {} }])
      await run.apply(no)
      expect([await retry(1), rounds()]).toEqual(['NEEDS_ATTENTION', [1]])
      expect([await retry(2), rounds()]).toEqual(['COMPENSATED', [1, 2]])
    })

    it('is another call where the other side had refused it before the person said so', async () => {
      const { run, retry, rounds } = await cancelling([{ refused: 'no' }, { accepted: {} }])
      await run.apply(no)
      expect([await retry(1), rounds()]).toEqual(['COMPENSATED', [1, 2]])
    })

    it('runs under the same key', async () => {
      const keys: string[] = []
      const send = async ({ key }: { key: string }) => (keys.push(key), keys.length > 3 ? ok : unknown)
      const run = bench({ activities: { pay: async () => ok, send } })
      await run.apply(start())
      await run.run()
      await run.apply(operator({ action: 'resume', step: 'send-papers', outcome: 'refused', evidence: 'none sent' }, 'no'))
      await run.apply(operator({ action: 'retry' }))
      await run.run()
      expect([statusOf(await run.state(id)), keys.map(roundOf)]).toEqual(['COMPLETED', [1, 1, 1, 1]])
    })
  })

  it('past its pivot only goes forward: what is refused there waits for an operator', async () => {
    const refused: ActivityOutcome = { outcome: 'refused', slug: 'no-printer', detail: '' }
    const run = bench({ outcomes: { send: [refused, ok] } })
    await run.apply(start())
    await run.run()
    expect(statusOf(await run.state(id))).toBe('NEEDS_ATTENTION')
    await run.apply(operator({ action: 'compensate' }))
    expect(statusOf(await run.state(id))).toBe('NEEDS_ATTENTION')
    await run.apply(operator({ action: 'retry' }, 'op2'))
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
  })

  it('is turned back by an operator before its pivot', async () => {
    const run = bench({ outcomes: { pay: [unknown] } })
    await run.apply(start())
    await run.run(1_000)
    await run.apply(operator({ action: 'compensate' }))
    await run.run()
    const state = await run.state(id)
    expect([statusOf(state), state.failure?.reason]).toEqual(['COMPENSATED', 'operator'])
    expect(run.runs.at(-1)).toBe('repay')
  })

  it('compensates again when what it gave up happens after all', async () => {
    const run = bench({ outcomes: { pay: [unknown] } })
    await run.apply(start())
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPENSATED')
    await run.apply(told('paid-elsewhere', { paid: 'late' }))
    expect(statusOf(await run.state(id))).toBe('COMPENSATING')
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPENSATED')
    expect(run.runs.filter((name) => name === 'repay').length).toBe(2)
    await run.apply({ ...told('paid-elsewhere', { paid: 'late' }), id: 'told again' })
    await run.run()
    expect(run.runs.filter((name) => name === 'repay').length).toBe(2)
  })

  it('compensates again when what it gave up happens while it is being undone: that run may not have seen it', async () => {
    let repaid = 0
    const repay = async (): Promise<ActivityOutcome> => {
      if (++repaid === 1) {
        run.clock.advance(100)
        await run.apply(told('paid-elsewhere', { paid: 'late' }))
      }
      return { outcome: 'succeeded', result: {} }
    }
    const run = bench({ activities: { pay: () => Promise.resolve(unknown), repay } })
    await run.apply(start())
    await run.run()
    expect([statusOf(await run.state(id)), repaid]).toEqual(['COMPENSATED', 2])
    expect((await run.state(id)).data).toMatchObject({ paid: 'back' })
    expect((await run.state(id)).undos['pay']).toMatchObject({ round: 2, status: 'succeeded' })
  })

  it('keeps a message that comes before its wait, or before the saga', async () => {
    const run = bench()
    await run.apply(told('guide-found', { name: 'Ravi' }))
    await run.apply(start('Hampi'))
    await run.run()
    expect((await run.state(id)).data).toMatchObject({ guide: 'Ravi' })
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
  })

  it('takes in all that came before it, in order, and writes down what was too much', async () => {
    const diary = defineSaga<{ readonly said: string }>({
      type: 'trip',
      version: 1,
      steps: [{ name: 'go', does: command(({ data }, call) => to('Go')({ data: { city: data.said } }, call)) }],
      on: { said: ({ word }, { data }) => ({ learns: { said: `${data.said} ${String(word)}` } }) },
    })
    const run = bench({ definitions: [diary] })
    const words = Array.from({ length: 102 }, (_, nth) => `w${nth}`)
    const answers = await run.apply(...words.map((word) => ({ ...told('said', { word }), id: `told ${word}` })))
    expect(answers.map(({ disposition }) => disposition)).toEqual([...Array(100).fill('applied'), 'noted', 'noted'])
    await run.apply({ ...start(), data: { said: 'first' } } as SagaInput)
    expect((await run.state(id)).data).toEqual({ said: ['first', ...words.slice(0, 100)].join(' ') })
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
  })

  it('calls an operator when the message it waits for does not come', async () => {
    const run = bench()
    await run.apply(start('Hampi'))
    await run.run()
    expect(statusOf(await run.state(id))).toBe('NEEDS_ATTENTION')
    await run.apply(told('guide-found', { name: 'Ravi' }))
    await run.run()
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
  })

  it('turns back on a message at any point before the pivot, and not after', async () => {
    const before = bench({ outcomes: { pay: [unknown] } })
    await before.apply(start())
    await before.run(1_000)
    await before.apply(told('changed-mind'))
    await before.run()
    expect(statusOf(await before.state(id))).toBe('COMPENSATED')

    const after = bench()
    await after.apply(start('Hampi'))
    await after.run(500)
    await after.apply(told('changed-mind'), told('guide-found', { name: 'Ravi' }))
    await after.run()
    expect(statusOf(await after.state(id))).toBe('COMPLETED')
  })

  it('writes down what it could not use', async () => {
    const run = bench()
    await run.apply(start())
    await run.run()
    const key = actionKey({ sagaId: id, step: 'book-hotel', side: 'do', round: 1 })
    const again: SagaInput = { kind: 'outcome', id: 'x', sagaId: id, context, key, outcome: { outcome: 'succeeded', result: {} } }
    const before = (await run.store.instance(id))?.version ?? 0
    await run.apply(again, told('nobody-waits'), { kind: 'timer', id: 'y', sagaId: id, context })
    expect((await run.store.instance(id))?.version).toBe(before + 3)
    expect(statusOf(await run.state(id))).toBe('COMPLETED')
  })
})

describe('an answer that is delivered again under its own id', () => {
  const key = actionKey({ sagaId: id, step: 'book-hotel', side: 'do', round: 1 })
  const booked: SagaInput = { kind: 'outcome', id: 'booked', sagaId: id, context, key, outcome: { outcome: 'succeeded', result: {} } }
  const unanswered = (more: Parameters<typeof bench>[0] = {}) =>
    bench({ answer: ({ type }) => (type === 'BookHotel' ? 'lost' : type === more.refuse ? { refused: 'no' } : { accepted: {} }), ...more })

  it.each([
    ['has gone on', () => unanswered(), [], 'COMPLETED'],
    ['has undone the step', () => unanswered({ refuse: 'IssueTicket' }), [], 'COMPENSATED'],
    ['had given the step up when it came first', () => unanswered(), [told('changed-mind')], 'COMPENSATED'],
  ] as const)('is noted where the saga %s, and has no second effect', async (_, make, before, end) => {
    const run = make()
    await run.apply(start(), ...before)
    await run.apply(booked)
    await run.run()
    expect(statusOf(await run.state(id))).toBe(end)
    const [types, runs] = [run.types(), [...run.runs]]
    expect(await run.apply(booked)).toMatchObject([{ disposition: 'noted' }])
    await run.run()
    expect([run.types(), run.runs, statusOf(await run.state(id))]).toEqual([types, runs, end])
  })
})

describe('a saga whose process is killed', () => {
  const cases: readonly (readonly [string, () => Parameters<typeof bench>[0], string])[] = [
    ['completes', () => ({}), 'COMPLETED'],
    ['compensates', () => ({ refuse: 'IssueTicket' }), 'COMPENSATED'],
    ['asks', () => ({ outcomes: { pay: [unknown, unknown, ok] } }), 'COMPLETED'],
    ['expires', () => ({ outcomes: { pay: [unknown] } }), 'COMPENSATED'],
  ]
  it.each(cases)('%s all the same, wherever it is killed', async (_, make, end) => {
    const whole = bench(make())
    await whole.apply(start())
    await whole.run()
    const points = whole.transactions
    expect(points).toBeGreaterThanOrEqual(5)
    for (let at = 1; at <= points; at++) {
      for (const when of ['before', 'after'] as const) {
        const run = bench({ ...make(), crash: { at, when } })
        await run.apply(start())
        await run.run()
        const state = await run.state(id)
        expect([at, when, statusOf(state), run.store.tasks()]).toEqual([at, when, end, []])
        const commands = new Set(run.sent.map((message) => message.id))
        expect(commands.size).toBe(new Set(whole.sent.map((message) => message.id)).size)
      }
    }
  })
})

describe('a reaction within another command', () => {
  it('is taken back when the command, decided again, does not react', async () => {
    const run = bench()
    await run.apply(start('Hampi'))
    await run.run(500)
    const thought = run.engine.think(told('guide-found', { name: 'Ravi' }))
    const states = { of: () => ({ state: seen, version: 5 }) } as unknown as StatesOf
    const seen = await run.state(id)
    expect(thought.decide(states, (_, __, react) => react().disposition)).toBe('applied')
    expect(thought.decide(states, () => 'refused')).toBe('refused')
    const before = await run.store.instance(id)
    await memoryTransactions().run((tx) => thought.save(tx))
    expect(await run.store.instance(id)).toEqual(before)
  })
})

describe('an instance moved to another version', () => {
  const hamper = (steps: Parameters<typeof defineSaga<Trip>>[0]['steps'], version: number) =>
    defineSaga<Trip>({ type: 'trip', version, steps, migrates: (data) => ({ city: `${String(data['city'])} v${version}` }) })
  const does = command(to('A'))
  const hotel = { name: 'book-hotel', does: command(to('BookHotel')), undo: command(to('CancelHotel')) }
  const plan = { name: 'plan', undo: command(to('DropPlan')) }
  const wait = { name: 'wait', does: waitFor<Trip>('go', { window_ms: 60_000 }) }
  const one = hamper([plan, hotel, wait, { name: 'ticket', pivot: true, does: command(to('IssueTicket')) }], 1)
  const newest = [hamper([plan, hotel, wait, { name: 'insure', does }, { name: 'ticket', pivot: true, does }], 2)]
  const move = (version: number) => operator({ action: 'migrate', to: version }, `move ${version}`)

  it('goes on under it, with its data made anew, and is listed under it', async () => {
    const run = bench({ definitions: [one, ...newest] })
    await run.apply(start())
    await run.run(1_000)
    expect((await run.state(id)).definition).toBe(2)
    expect(await run.apply(move(1))).toMatchObject([{ disposition: 'applied' }])
    expect(await run.state(id)).toMatchObject({ definition: 1, data: { city: 'Pune v1' } })
    expect(await run.apply(move(2))).toMatchObject([{ disposition: 'applied' }])
    expect(await run.store.instance(id)).toMatchObject({ definition: 2 })
    await run.apply(told('go'))
    await run.run()
    expect([statusOf(await run.state(id)), run.types()]).toEqual(['COMPLETED', ['BookHotel', 'A', 'A']])
    expect(await run.apply({ ...move(1), id: 'too late' })).toMatchObject([{ detail: 'it has ended' }])
  })

  it('finishes under the version it started with, while new ones start under the next', async () => {
    const second = sagaIdFor('trip', 'k-2')
    const run = bench({ definitions: [one] })
    await run.apply(start())
    await run.run(1_000)
    run.deploy([one, ...newest])
    await run.apply({ ...start('Goa', 'start 2'), sagaId: second, correlationKey: 'k-2' } as SagaInput)
    await run.run(1_000)
    for (const sagaId of [id, second]) await run.apply({ ...told('go'), id: `go ${sagaId}`, sagaId })
    await run.run()
    const ends = await Promise.all([id, second].map((sagaId) => run.state(sagaId)))
    expect(ends.map((state) => [statusOf(state), state.definition])).toEqual([
      ['COMPLETED', 1],
      ['COMPLETED', 2],
    ])
    expect(ends.map(({ steps }) => Object.keys(steps))).toEqual([
      ['book-hotel', 'wait', 'ticket'],
      ['book-hotel', 'wait', 'insure', 'ticket'],
    ])
    expect(run.types().toSorted()).toEqual(['A', 'A', 'BookHotel', 'BookHotel', 'IssueTicket'])
  })

  it.each([
    ['a step is gone', [plan, wait, { name: 'ticket', pivot: true as const, does }], 'it has no book-hotel'],
    ['nothing undoes what was done', [plan, { name: 'book-hotel', does }, wait], 'nothing there undoes book-hotel'],
    ['another kind of action runs', [plan, hotel, { name: 'wait', does }], 'wait is a command there, and a wait runs'],
    ['it would be past the pivot', [plan, hotel, { name: 'ticket', pivot: true as const, does }, wait], 'other side of the pivot'],
  ])('is not where %s', async (_, steps, why) => {
    const run = bench({ definitions: [hamper(steps, 1), ...newest] })
    await run.apply(start())
    await run.run(1_000)
    const before = await run.store.instance(id)
    expect(run.engine.preview(move(1), { state: await run.state(id), version: 7 })).toMatchObject({ disposition: 'refused' })
    expect(await run.apply(move(1))).toMatchObject([{ slug: 'invalid-transition', detail: expect.stringContaining(why) }])
    expect(await run.apply(move(3))).toMatchObject([{ detail: 'there is no v3 of trip' }])
    expect(await run.store.instance(id)).toEqual(before)
  })
})

describe('an instance that has ended, once a deploy took its version away', () => {
  const second = defineSaga<Trip>({
    ...trip,
    version: 2,
    migrates: (data, from) => ({ ...data, city: `${String(data['city'])} of v${from}` }),
    on: { ...trip.on, 'guide-thanked': ({ name }, { data }) => ({ learns: { guide: `${String(name)} in ${data.city}` } }) },
  } as Parameters<typeof defineSaga<Trip>>[0])
  const without = (name: string) => ({ ...second, steps: second.steps.filter((step) => step.name !== name) })
  const late = { ...told('paid-elsewhere', { paid: 'late' }) }
  const ended = async (options: Parameters<typeof bench>[0], definition = second) => {
    const run = bench(options)
    await run.apply(start())
    await run.run()
    run.deploy([definition])
    await expect(run.engine.checkDefinitions()).resolves.toBeUndefined()
    return run
  }

  it('is spoken to under the newest, once moved there with its data made anew', async () => {
    const run = await ended({})
    expect(await run.apply(told('guide-thanked', { name: 'Ravi' }))).toMatchObject([{ disposition: 'applied' }])
    await run.apply({ ...told('guide-thanked', { name: 'Asha' }), id: 'again' })
    expect(await run.state(id)).toMatchObject({ phase: 'completed', definition: 2, data: { guide: 'Asha in Pune of v1' } })
    expect(await run.store.instance(id)).toMatchObject({ definition: 2, status: 'COMPLETED' })
  })

  it('notes what the newest does not await either', async () => {
    const run = await ended({})
    const key = actionKey({ sagaId: id, step: 'book-hotel', side: 'do', round: 1 })
    const again: SagaInput = { kind: 'outcome', id: 'x', sagaId: id, context, key, outcome: { outcome: 'succeeded', result: {} } }
    const { version: before = 0 } = (await run.store.instance(id)) ?? {}
    const answers = await run.apply({ kind: 'timer', id: 'y', sagaId: id, context }, told('nobody-waits'), again, start('Goa', 'start 2'))
    expect(answers.map(({ disposition }) => disposition)).toEqual(['noted', 'noted', 'noted', 'noted'])
    // It moves once, and each is written down.
    expect(answers.map(({ version }) => version - before)).toEqual([2, 3, 4, 5])
  })

  it('is brought back by a late success, and undoes it under the newest', async () => {
    const run = await ended({ outcomes: { pay: [unknown] } })
    await run.apply(late)
    expect([statusOf(await run.state(id)), (await run.store.instance(id))?.definition]).toEqual(['COMPENSATING', 2])
    await expect(run.engine.checkDefinitions()).resolves.toBeUndefined()
    await run.run()
    expect([statusOf(await run.state(id)), run.runs.filter((name) => name === 'repay').length]).toEqual(['COMPENSATED', 2])
  })

  it('notes a late success of what the newest has not, and cannot undo', async () => {
    const run = await ended({ outcomes: { pay: [unknown] } }, without('pay'))
    const key = actionKey({ sagaId: id, step: 'pay', side: 'do', round: 1 })
    expect(await run.apply({ kind: 'outcome', id: 'late', sagaId: id, context, key, outcome: ok })).toMatchObject([
      { disposition: 'noted' },
    ])
    expect(await run.apply(late)).toMatchObject([{ disposition: 'applied' }])
    expect(statusOf(await run.state(id))).toBe('COMPENSATED')
  })

  it('is no older version’s to take', async () => {
    const run = bench({ definitions: [second] })
    await run.apply(start())
    await run.run()
    run.deploy([trip])
    await expect(run.apply(told('look-now'))).rejects.toThrow('no definition of saga trip v2')
  })
})

describe('names', () => {
  it('of actions are read back as they were made', () => {
    for (const side of ['do', 'undo'] as const)
      for (const round of [1, 2, 17])
        expect(parseActionKey(actionKey({ sagaId: id, step: 'pay-2', side, round }))).toEqual({ sagaId: id, step: 'pay-2', side, round })
    expect(parseActionKey('http:command:of:another')).toBeUndefined()
  })

  it('of sagas are one per type and key, and keep the time of a UUIDv7', () => {
    const order = '0190a000-0000-7000-8000-000000000001'
    expect(sagaIdFor('trip', order)).toMatch(/^0190a000-0000-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(new Set([sagaIdFor('trip', order), sagaIdFor('walk', order), sagaIdFor('trip', 'x')]).size).toBe(3)
  })
})

describe('a definition', () => {
  it('is refused where it contradicts itself', () => {
    const step = { name: 'a', does: command(to('A')) }
    expect(() => defineSaga<Trip>({ type: 'x', version: 1, steps: [step, step] })).toThrow('two steps of one name')
    const late = { name: 'b', does: command(to('B')), undo: command(to('C')) }
    expect(() => defineSaga<Trip>({ type: 'x', version: 1, steps: [{ ...step, pivot: true }, late] })).toThrow('past the pivot')
  })

  it('must not be taken away from instances that still run on it', async () => {
    const run = bench({ outcomes: { pay: [unknown] } })
    await run.apply(start())
    await run.run(1_000)
    await expect(run.engine.checkDefinitions()).resolves.toBeUndefined()
    const newer = defineSaga<Trip>({ type: 'trip', version: 2, steps: [{ name: 'a', does: command(to('A')) }] })
    const ports = { store: run.store, clock: run.clock, app: 'test', commands: { executeAll: async () => [] } }
    await expect(new SagaEngine({ ...ports, definitions: new SagaDefinitions([newer]) }).checkDefinitions()).rejects.toThrow(
      `trip v1 (1: ${id})`,
    )
    await expect(new SagaEngine({ ...ports, definitions: new SagaDefinitions([trip, newer]) }).checkDefinitions()).resolves.toBeUndefined()
  })

  it('is drawn', () => {
    expect(mermaidOf(trip)).toContain('issue_ticket{"issue-ticket<br/>command<br/>pivot"}')
  })
})
