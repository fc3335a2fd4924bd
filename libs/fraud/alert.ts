import { refuse, type Decider } from '#kernel'
import type { Reason } from './scorer.js'

export type AlertDecision = 'approve' | 'decline'

/** A transaction that waits for a person: raised once, decided once. Amounts are paise in decimal strings, times RFC 3339. */
export type AlertState =
  | { readonly status: 'none' }
  | ({ readonly status: 'open' } & Raised)
  | ({ readonly status: 'decided'; readonly decision: AlertDecision; readonly by: string; readonly at: string } & Raised)

// A type, because an interface cannot be assigned to JSON.
type Raised = { readonly alertId: string; readonly orderId: string; readonly customerId: string; readonly amount: string }

export type RaiseAlert = {
  readonly type: 'RaiseAlert'
  readonly score: number
  readonly reasons: readonly Reason[]
  readonly modelVersion: string
  readonly at: string
  /** Until when a person has time. */
  readonly dueAt: string
} & Raised

export interface DecideAlert {
  readonly type: 'DecideAlert'
  readonly decision: AlertDecision
  /** `sub` of the analyst, or `app:fraud` when the time ran out. */
  readonly by: string
  readonly note: string
  readonly at: string
}

export type AlertCommand = RaiseAlert | DecideAlert

export type AlertEvent =
  | {
      readonly type: 'AlertRaised'
      readonly data: Raised & {
        readonly score: number
        readonly reasons: readonly { readonly code: string; readonly contribution: number; readonly text: string }[]
        readonly modelVersion: string
        readonly at: string
        readonly dueAt: string
      }
    }
  | {
      readonly type: 'AlertDecided'
      readonly data: {
        readonly alertId: string
        readonly orderId: string
        readonly decision: AlertDecision
        readonly by: string
        readonly note: string
        readonly at: string
      }
    }

export const alert: Decider<AlertCommand, AlertState, AlertEvent> = {
  initialState: { status: 'none' },

  decide(command, state) {
    switch (command.type) {
      case 'RaiseAlert': {
        if (state.status !== 'none') return []
        const { type: _, reasons, ...data } = command
        return [
          {
            type: 'AlertRaised',
            data: { ...data, reasons: reasons.map(({ code, contribution, text }) => ({ code, contribution, text })) },
          },
        ]
      }
      case 'DecideAlert': {
        if (state.status === 'none') return refuse('unknown-alert', 'there is no such alert', 'conflict')
        if (state.status === 'decided') return refuse('invalid-transition', `the alert was decided before: ${state.decision}`, 'conflict')
        const { type: _, ...data } = command
        return [{ type: 'AlertDecided', data: { alertId: state.alertId, orderId: state.orderId, ...data } }]
      }
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'AlertRaised': {
        const { alertId, orderId, customerId, amount } = event.data
        return { status: 'open', alertId, orderId, customerId, amount }
      }
      case 'AlertDecided': {
        if (state.status === 'none') return state
        const { decision, by, at } = event.data
        return { ...state, status: 'decided', decision, by, at }
      }
    }
  },
}
