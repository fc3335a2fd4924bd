import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { fold, isRefusal } from '#kernel'
import { alert, type AlertCommand, type AlertEvent, type DecideAlert, type ExpireAlert, type RaiseAlert, type TakeSample } from '#fraud'

const raise: RaiseAlert = {
  type: 'RaiseAlert',
  alertId: 'a-1',
  orderId: 'o-1',
  customerId: 'c-1',
  amount: '20000000',
  score: 0.55,
  reasons: [{ code: 'large-first-order', contribution: 0.5, text: 'large' }],
  modelVersion: 'scorecard-1',
  at: '2026-11-01T10:00:00.000Z',
  dueAt: '2026-11-02T10:00:00.000Z',
}
const decline: DecideAlert = { type: 'DecideAlert', decision: 'decline', by: 'risk-1', note: 'stolen card', at: '2026-11-01T11:00:00.000Z' }

const take: TakeSample = { ...raise, type: 'TakeSample', share: 0.01 }
const approve: DecideAlert = { ...decline, decision: 'approve' }
const expire: ExpireAlert = { type: 'ExpireAlert', by: 'app:fraud', note: 'undecided in time', at: '2026-11-08T10:00:00.000Z' }

const after = (commands: readonly AlertCommand[]) => {
  const events: AlertEvent[] = []
  for (const command of commands) {
    const decided = alert.decide(command, fold(alert, events))
    if (isRefusal(decided)) return decided
    events.push(...decided)
  }
  return events
}

describe('a fraud alert', () => {
  it('is raised and decided', () => {
    const events = after([raise, decline])
    expect(events).toMatchObject([
      { type: 'AlertRaised', data: { alertId: 'a-1', orderId: 'o-1', score: 0.55 } },
      { type: 'AlertDecided', data: { alertId: 'a-1', orderId: 'o-1', decision: 'decline', by: 'risk-1', note: 'stolen card' } },
    ])
  })

  it('is raised once', () => {
    expect(after([raise, raise])).toHaveLength(1)
    expect(after([raise, decline, raise])).toHaveLength(2)
  })

  it('is decided once, also the same way', () => {
    expect(after([raise, decline, decline])).toMatchObject({ kind: 'conflict', slug: 'invalid-transition' })
    expect(after([raise, decline, { ...decline, decision: 'approve' }])).toMatchObject({ kind: 'conflict', slug: 'invalid-transition' })
  })

  it('must have been raised to be decided', () => {
    expect(after([decline])).toMatchObject({ slug: 'unknown-alert' })
    expect(after([expire])).toMatchObject({ slug: 'unknown-alert' })
  })

  it('is declined when its time is over', () => {
    expect(after([raise, expire])).toMatchObject([{}, { type: 'AlertDecided', data: { decision: 'decline', by: 'app:fraud' } }])
  })
})

describe('a sample', () => {
  it('is taken with its share, and labelled', () => {
    expect(after([take, decline])).toMatchObject([
      { type: 'SampleTaken', data: { alertId: 'a-1', orderId: 'o-1', share: 0.01 } },
      { type: 'SampleLabelled', data: { alertId: 'a-1', orderId: 'o-1', decision: 'decline', by: 'risk-1', note: 'stolen card' } },
    ])
  })

  it('lapses when its time is over, and takes no label then', () => {
    expect(after([take, expire])).toMatchObject([{}, { type: 'SampleLapsed', data: { alertId: 'a-1', orderId: 'o-1', at: expire.at } }])
    expect(after([take, expire, decline])).toMatchObject({ kind: 'conflict', slug: 'invalid-transition' })
  })

  it('never becomes what an order waits for, nor that a sample, whatever comes: what ends it first has ended it', () => {
    const later = fc.array(fc.constantFrom<AlertCommand>(raise, take, approve, decline, expire), { maxLength: 8 })
    fc.assert(
      fc.property(fc.constantFrom<AlertCommand>(raise, take), later, (first, commands) => {
        const events: AlertEvent[] = []
        for (const command of [first, ...commands]) {
          const decided = alert.decide(command, fold(alert, events))
          if (!isRefusal(decided)) events.push(...decided)
        }
        const end = commands.find(({ type }) => type === 'DecideAlert' || type === 'ExpireAlert')
        const begun = first.type === 'RaiseAlert' ? 'AlertRaised' : 'SampleTaken'
        const ended = first.type === 'RaiseAlert' ? 'AlertDecided' : end?.type === 'ExpireAlert' ? 'SampleLapsed' : 'SampleLabelled'
        expect(events.map(({ type }) => type)).toEqual(end ? [begun, ended] : [begun])
      }),
    )
  })
})
