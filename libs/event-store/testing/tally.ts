import type { OutgoingMessage } from '#kernel'
import type { Command, Decision, Publisher, StatesOf, StreamRef, StreamType } from '../store.js'

/** A small aggregate for the suites: a tally that never goes below zero. */
export interface Tally {
  readonly total: number
  readonly changes: number
}

export type TallyEvent = { readonly type: 'Changed'; readonly data: { readonly by: number } }

export const tallyType: StreamType<Tally, TallyEvent> = {
  category: 'tally',
  initialState: { total: 0, changes: 0 },
  evolve: (state, event) => ({ total: state.total + event.data.by, changes: state.changes + 1 }),
  snapshotEvery: 10,
  source: import.meta.url,
}

/** The same, with a state that plain JSON cannot hold. */
export const ledgerType: StreamType<{ readonly total: bigint }, TallyEvent> = {
  category: 'ledger',
  initialState: { total: 0n },
  evolve: (state, event) => ({ total: state.total + BigInt(event.data.by) }),
  snapshotEvery: 5,
  source: import.meta.url,
  snapshot: { write: ({ total }) => ({ total: total.toString() }), read: ({ total }) => ({ total: BigInt(String(total)) }) },
}

export const tally = (id: string): StreamRef<Tally> => ({ type: tallyType, id })

/** Publishes each change, but the quiet ones of exactly zero. */
export const publishTally: Publisher = (event) =>
  event.data['by'] === 0
    ? []
    : [
        {
          topic: 'tallies',
          key: event.stream,
          type: 'TallyChanged',
          schemaVersion: 1,
          data: { by: event.data['by'] ?? 0, version: event.version },
          context: { correlationId: event.metadata.correlationId, causationId: event.metadata.causationId },
        },
      ]

export const messageOf = (text: string): OutgoingMessage => ({
  topic: 'notes',
  key: 'k',
  type: 'Noted',
  schemaVersion: 1,
  data: { text },
  id: `note-${text}`,
  context: { correlationId: 'c', causationId: 'x' },
})

export const commandOf = (
  id: string,
  streams: readonly StreamRef[],
  decide: (states: StatesOf) => Decision,
  fingerprint = 'f',
): Command => ({ id, fingerprint, streams, metadata: { actor: 'tester', correlationId: 'c', causationId: id }, decide })

/** Changes a tally, or refuses what would take it below zero; the answer tells the total. */
export const change = (id: string, on: string, by: number, fingerprint?: string): Command =>
  commandOf(
    id,
    [tally(on)],
    (states) => {
      const { state } = states.of(tally(on))
      if (state.total + by < 0) return { appends: [], answer: `refused at ${state.total}` }
      return { appends: [{ stream: tally(on), events: [{ type: 'Changed', data: { by } }] }], answer: `total ${state.total + by}` }
    },
    fingerprint,
  )

/** Moves from one tally to another, both or neither. */
export const move = (id: string, from: string, to: string, by: number): Command =>
  commandOf(id, [tally(from), tally(to)], (states) => {
    if (states.of(tally(from)).state.total < by) return { appends: [], answer: 'refused' }
    return {
      appends: [
        { stream: tally(from), events: [{ type: 'Changed', data: { by: -by } }] },
        { stream: tally(to), events: [{ type: 'Changed', data: { by } }] },
      ],
      answer: 'moved',
    }
  })
