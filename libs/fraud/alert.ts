import { refuse, type Decider } from '#kernel'
import type { Reason } from './scorer.js'

export type AlertDecision = 'approve' | 'decline'

/**
 * A transaction before a person. One waits for their decision: raised once, decided once. Another was approved by itself and is a sample of
 * such: it waits for nobody, and a person labels it, so that what scoring misses can be told. Amounts are paise in decimal strings, times
 * RFC 3339.
 */
export type AlertState =
  | { readonly status: 'none' }
  | ({ readonly status: 'open' | 'sampled' | 'lapsed' } & Raised)
  | ({ readonly status: 'decided'; readonly decision: AlertDecision; readonly by: string; readonly at: string } & Raised)

// Types, because an interface cannot be assigned to JSON.
type Raised = { readonly alertId: string; readonly orderId: string; readonly customerId: string; readonly amount: string }

type Scored = {
  readonly score: number
  readonly reasons: readonly Reason[]
  readonly modelVersion: string
  readonly at: string
  /** Until when a person has time. */
  readonly dueAt: string
} & Raised

export type RaiseAlert = { readonly type: 'RaiseAlert' } & Scored

/** `share`: of how many like it this one was drawn, in (0, 1]; it stands for 1/share of them. */
export type TakeSample = { readonly type: 'TakeSample'; readonly share: number } & Scored

/** Of a sample it is its label: what they would have decided. */
export interface DecideAlert {
  readonly type: 'DecideAlert'
  readonly decision: AlertDecision
  /** `sub` of the analyst, or `app:fraud` when the time ran out. */
  readonly by: string
  readonly note: string
  readonly at: string
}

/** The time is over: what waits is declined, a sample lapses. */
export type ExpireAlert = { readonly type: 'ExpireAlert' } & Pick<DecideAlert, 'by' | 'note' | 'at'>

export type AlertCommand = RaiseAlert | TakeSample | DecideAlert | ExpireAlert

type RecordedScore = Omit<Scored, 'reasons'> & {
  readonly reasons: readonly { readonly code: string; readonly contribution: number; readonly text: string }[]
}

type RecordedDecision = {
  readonly alertId: string
  readonly orderId: string
  readonly decision: AlertDecision
  readonly by: string
  readonly note: string
  readonly at: string
}

export type AlertEvent =
  | { readonly type: 'AlertRaised'; readonly data: RecordedScore }
  | { readonly type: 'AlertDecided'; readonly data: RecordedDecision }
  | { readonly type: 'SampleTaken'; readonly data: RecordedScore & { readonly share: number } }
  | { readonly type: 'SampleLabelled'; readonly data: RecordedDecision }
  | { readonly type: 'SampleLapsed'; readonly data: { readonly alertId: string; readonly orderId: string; readonly at: string } }

export const alert: Decider<AlertCommand, AlertState, AlertEvent> = {
  initialState: { status: 'none' },

  decide(command, state) {
    switch (command.type) {
      case 'RaiseAlert':
        return state.status === 'none' ? [{ type: 'AlertRaised', data: recorded(command) }] : []
      case 'TakeSample':
        return state.status === 'none' ? [{ type: 'SampleTaken', data: { ...recorded(command), share: command.share } }] : []
      case 'DecideAlert': {
        if (state.status === 'none') return refuse('unknown-alert', 'there is no such alert', 'conflict')
        if (state.status === 'decided') return refuse('invalid-transition', `the alert was decided before: ${state.decision}`, 'conflict')
        if (state.status === 'lapsed') return refuse('invalid-transition', 'the sample has lapsed without a label', 'conflict')
        const { type: _, ...data } = command
        const type = state.status === 'sampled' ? 'SampleLabelled' : 'AlertDecided'
        return [{ type, data: { alertId: state.alertId, orderId: state.orderId, ...data } }]
      }
      case 'ExpireAlert': {
        if (state.status !== 'sampled') return alert.decide({ ...command, type: 'DecideAlert', decision: 'decline' }, state)
        return [{ type: 'SampleLapsed', data: { alertId: state.alertId, orderId: state.orderId, at: command.at } }]
      }
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'AlertRaised':
      case 'SampleTaken': {
        const { alertId, orderId, customerId, amount } = event.data
        return { status: event.type === 'AlertRaised' ? 'open' : 'sampled', alertId, orderId, customerId, amount }
      }
      case 'AlertDecided':
      case 'SampleLabelled': {
        if (state.status === 'none') return state
        const { decision, by, at } = event.data
        return { ...state, status: 'decided', decision, by, at }
      }
      case 'SampleLapsed': {
        if (state.status === 'none') return state
        const { alertId, orderId, customerId, amount } = state
        return { status: 'lapsed', alertId, orderId, customerId, amount }
      }
    }
  },
}

const recorded = ({ alertId, orderId, customerId, amount, score, reasons, modelVersion, at, dueAt }: Scored): RecordedScore => ({
  alertId,
  orderId,
  customerId,
  amount,
  score,
  reasons: reasons.map(({ code, contribution, text }) => ({ code, contribution, text })),
  modelVersion,
  at,
  dueAt,
})
