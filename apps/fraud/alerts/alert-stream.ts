import type { DomainEvent, EventTypes, StreamRef, StreamType } from '#event-store'
import { alert, type AlertEvent, type AlertState } from '#fraud'
import { alertEvents } from './alert-event-types.js'

/** Two events in a lifetime: no snapshot. */
export const alertType: StreamType<AlertState, AlertEvent> & { readonly events: EventTypes } = {
  category: 'alert',
  initialState: alert.initialState,
  evolve: alert.evolve,
  closed: ({ status }) => status === 'decided' || status === 'lapsed',
  events: alertEvents,
  snapshotEvery: 0,
}

export const alertStream = (alertId: string): StreamRef<AlertState> => ({ type: alertType, id: alertId })

/** Only the alert's decider writes to its stream. */
export const isAlertEvent = (event: DomainEvent): event is AlertEvent => TYPES.has(event.type)

const TYPES: ReadonlySet<string> = new Set(alertEvents.all.map(({ type }) => type))
