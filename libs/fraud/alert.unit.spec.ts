import { describe, expect, it } from '@jest/globals'
import { fold, isRefusal } from '#kernel'
import { alert, type AlertEvent, type DecideAlert, type RaiseAlert } from '#fraud'

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

const after = (commands: readonly (RaiseAlert | DecideAlert)[]) => {
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
  })
})
