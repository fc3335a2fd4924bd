import { eventStoreMigrations, openEventStore, type Command, type EventStore, type Publisher } from '#event-store'
import { isRefusal, refuse, systemClock, type Decider } from '#kernel'
import { createPool, migrate, type PostgresConfig } from '#postgres'

// A card of loyalty points: what was spent cannot be spent again. Pure, so it needs no database to be tested.
type Card = { readonly points: number }
type CardEvent = { readonly type: 'Earned' | 'Spent'; readonly data: { readonly points: number } }
type CardCommand = { readonly type: 'earn' | 'spend'; readonly points: number }

export const card: Decider<CardCommand, Card, CardEvent> = {
  initialState: { points: 0 },
  decide: (command, state) => {
    const { points } = command
    if (command.type === 'earn') return [{ type: 'Earned', data: { points } }]
    return points <= state.points ? [{ type: 'Spent', data: { points } }] : refuse('insufficient-points', `${state.points} are left`)
  },
  evolve: (state, { type, data }) => ({ points: type === 'Earned' ? state.points + data.points : state.points - data.points }),
}

/** `source`: when this module changes, or one that it imports, snapshots of states taken before are ignored. */
export const cardStream = {
  category: 'card',
  initialState: card.initialState,
  evolve: card.evolve,
  snapshotEvery: 500,
  source: import.meta.url,
}

/** What others hear of an event. Pure: the relay calls it, and may call it again. */
const publish: Publisher = ({ stream, type, data, metadata: { correlationId, commandId } }) => [
  { topic: 'cards.events', key: stream, type, schemaVersion: 1, data, context: { correlationId, causationId: commandId } },
]

/** The migration runs once per deployment, the store is opened once per process. `close()` it before its pool ends. */
export const openCards = async (postgres: PostgresConfig): Promise<EventStore> => {
  await migrate({ url: postgres.url, schema: postgres.schema, migrations: eventStoreMigrations })
  return openEventStore({ pool: createPool(postgres), postgres, types: [cardStream], publish, clock: systemClock, app: 'cards' })
}

/** For `store.execute`. The same id again has no second effect and gives the same answer. */
export const onCard = (id: string, cardId: string, command: CardCommand): Command => {
  const stream = { type: cardStream, id: cardId }
  return {
    id,
    fingerprint: JSON.stringify([cardId, command]),
    streams: [stream],
    metadata: { actor: 'c-1', correlationId: cardId, causationId: id },
    decide: (states) => {
      const decided = card.decide(command, states.of(stream).state)
      if (isRefusal(decided)) return { appends: [], answer: JSON.stringify({ refused: decided.slug }) }
      return { appends: [{ stream, events: decided }], answer: JSON.stringify({ done: true }) }
    },
  }
}
