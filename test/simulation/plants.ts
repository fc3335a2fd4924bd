import { STOCK_COMMANDS, WALLET_COMMANDS } from '#contracts'
import type { Command, EventStore, StatesOf, StreamState } from '#event-store'
import { isRefusal, type JsonObject } from '#kernel'
import { asMemory } from '#kernel/testing'
import { TIMER, type Action, type AnySaga, type Step } from '#saga'
import type { Plant } from './plant.js'
import type { Life } from './process.js'

/** A bug, and what it stands for. */
export interface PlantedBug extends Plant {
  readonly bug: string
  /** What the violation says. */
  readonly shows: RegExp
}

type AnyStep = Step<JsonObject>
type Rules = Parameters<NonNullable<Plant['walletRules']>>[0]

/** The bugs that the simulator must find. They live here alone: none of them is in a product file. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    bug: 'a skipped compensation: funds are held and nothing is registered to release them',
    shows: /still held/,
    definitions: (all) => all.map((each) => changeStep(each, 'hold-funds', withoutUndo)),
  },
  {
    bug: 'a load that is credited twice',
    shows: /^invariant 5: load .* was credited/,
    walletRules: (rules) => deciding(rules, (command, events) => (command.type === 'credit-load' ? [...events, ...events] : events)),
  },
  {
    bug: 'a double capture: the wallet takes a hold twice',
    shows: /is not open and was captured/,
    walletRules: (rules) => deciding(rules, (command, events) => (command.type === 'capture' ? [...events, ...events] : events)),
  },
  {
    bug: 'a hold that is not released when the order is cancelled: the wallet says that it did, and does nothing',
    shows: /still held/,
    walletRules: (rules) => deciding(rules, (command, events) => (command.type === 'release' ? [] : events)),
  },
  {
    bug: 'a transfer of one side: the wallet that receives is not written',
    shows: /^invariant 1: transfer .* differ by -/,
    store: (store, life) =>
      of(life, 'wallet', store, {
        execute: (command) =>
          store.execute({
            ...command,
            decide: (states) => {
              const decided = command.decide(states)
              return { ...decided, appends: decided.appends.filter(({ events }) => events.every(({ type }) => type !== 'TransferredIn')) }
            },
          }),
      }),
  },
  {
    bug: 'an act of staff that is not in the audit trail',
    shows: /^invariant 6: 0 entries in the audit trail/,
    store: (store, life) =>
      of(life, 'order-command', store, {
        execute: (command) =>
          store.execute({
            ...command,
            decide: (states) => {
              const decided = command.decide(states)
              return { ...decided, appends: decided.appends.filter(({ events }) => events.every(({ type }) => type !== 'ActDone')) }
            },
          }),
      }),
  },
  {
    bug: 'a wrong balance: a credit says a paisa more than it adds',
    shows: /^invariant 2: wallet-.* its events add up to/,
    walletRules: (rules) =>
      deciding(rules, (command, events) =>
        command.type !== 'credit'
          ? events
          : events.map((event) =>
              event.type === 'Credited'
                ? { ...event, data: { ...event.data, balance: (BigInt(event.data.balance) + 1n).toString() } }
                : event,
            ),
      ),
  },
  {
    bug: 'a broken chain: a stored event is changed while its process is down',
    shows: /^invariant 2: wallet .*: hash-chain/,
    restarted: ({ data }) => {
      const reference = Buffer.from('"load"')
      for (const { payload } of data.events) {
        const at = payload.indexOf(reference)
        if (at >= 0) Buffer.from('"lead"').copy(payload, at)
      }
    },
  },
  {
    bug: 'a lost timer: the row that wakes a saga is not written',
    shows: /has not ended/,
    sagaStore: (store) => ({
      ...store,
      save: (changes, tx) => store.save({ ...changes, tasks: changes.tasks.filter(({ name }) => name !== TIMER) }, tx),
    }),
  },
  {
    bug: 'an offset committed before the effect: the effect follows in a transaction of its own',
    shows: /which had no effect/,
    handler: (handler, topic, life) => async (messages) => {
      const effect = await handler(messages)
      if (topic !== WALLET_COMMANDS) return effect
      const after = () => void life.transactions.run(effect).catch(() => undefined)
      return (tx) => Promise.resolve(asMemory(tx).onCommit(after))
    },
  },
  {
    bug: 'two answers: a command that comes again is refused, though it was accepted',
    shows: /had two answers/,
    store: (store, life) =>
      of(life, 'wallet', store, {
        executeAll: async (commands, tx) => {
          const answers = await store.executeAll(commands, tx)
          return answers.map((each) => (each.replayed ? { ...each, answer: each.answer.replace('accepted', 'refused') } : each))
        },
      }),
  },
  {
    bug: 'a release before the reservation that does not bar it: what comes out of order is reserved for good',
    shows: /reserved again after released|holds/,
    handler: (handler, topic) => (messages) =>
      handler(topic === STOCK_COMMANDS ? messages.toSorted((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0)) : messages),
    store: (store, life) =>
      of(
        life,
        'order-command',
        store,
        seeing(store, (stream, seen) =>
          stream === 'reservation' && statusIn(seen) === 'released' ? { ...seen, state: { status: 'none' } } : seen,
        ),
      ),
  },
  {
    bug: 'a refund of more than was captured',
    shows: /refunded of/,
    definitions: (all) =>
      all.map((each) =>
        changeStep(each, 'refund-wallet', (step) => ({
          ...step,
          ...(step.does && {
            does: changeData(step.does, (data) => ({ ...data, amount: (BigInt(String(data['amount'])) * 2n).toString() })),
          }),
        })),
      ),
  },
  {
    bug: 'an expected version that is not checked: stock is decided on the state before',
    shows: /stock-/,
    store: (store, life) => {
      const before = new Map<string, StreamState>()
      return of(
        life,
        'order-command',
        store,
        seeing(store, (stream, seen, id) => {
          if (stream !== 'stock') return seen
          const stale = before.get(id) ?? seen
          before.set(id, seen)
          return { ...seen, state: stale.state }
        }),
      )
    },
  },
  {
    bug: 'a duplicate that is not dropped: a consumer forgets over a restart how far it has read its sources',
    shows: /had a second effect/,
    consumerStore: (store) => ({
      ...methodsOf(store),
      progress: async (...asked) => ({ ...(await store.progress(...asked)), marks: [] }),
    }),
  },
  {
    bug: 'an unknown outcome guessed as refused',
    shows: /at the provider|captured/,
    activities: (all) => ({
      ...all,
      'authorise-payment': async (run, signal) => {
        const outcome = await all['authorise-payment']?.(run, signal)
        if (outcome === undefined || outcome.outcome === 'unknown') return { outcome: 'refused', slug: 'declined', detail: 'no answer' }
        return outcome
      },
    }),
  },
  {
    bug: 'a late success that is dropped: what is still pending counts as undone, and webhooks after the end say nothing',
    shows: /at the provider|captured/,
    definitions: (all) => all.map((each) => ({ ...each, on: { ...each.on, 'provider-payment': () => ({}) } })),
    activities: (all) => ({
      ...all,
      'cancel-payment': async (run, signal) => {
        const outcome = await all['cancel-payment']?.(run, signal)
        return outcome?.outcome === 'unknown' && outcome.detail === 'pending'
          ? { outcome: 'succeeded', result: { authorised: '0' } }
          : (outcome ?? { outcome: 'unknown', detail: 'none' })
      },
    }),
  },
  {
    bug: 'a relay that moves on before the log has acknowledged',
    shows: /which is not in the log/,
    store: (store) => {
      let epoch = 0n
      const { outbox } = store
      return {
        ...methodsOf(store),
        outbox: {
          ...outbox,
          lease: async (owner, ttl_ms, to) => {
            const lease = await outbox.lease(owner, ttl_ms, to)
            epoch = lease?.epoch ?? epoch
            return lease
          },
          after: async (position, limit, to) => {
            const page = await outbox.after(position, limit, to)
            const last = page.at(-1)
            if (last) await outbox.advance(epoch, last.position)
            return page
          },
        },
      }
    },
  },
  {
    bug: 'an idempotency key that counts once per connection: a repeat is another order',
    shows: /one key placed another order|one key had two answers|wallet-exists/,
    commandId: (commandId, attempt) => (attempt === 0 ? commandId : `${commandId}-${attempt}`),
  },
  {
    bug: 'a read that does not wait for its consistency token',
    shows: /was read at version/,
    versions: () => ({ waitFor: () => Promise.resolve(true) }),
  },
  {
    bug: 'stock sold that was never received',
    shows: /stock-/,
    store: (store, life) =>
      of(
        life,
        'order-command',
        store,
        seeing(store, (stream, seen) => {
          const state = seen.state as { readonly onHand?: number }
          return stream === 'stock' && state.onHand ? { ...seen, state: { ...state, reserved: 0 } } : seen
        }),
      ),
  },
  {
    bug: 'an order that is confirmed although it was cancelled',
    shows: /which is cancelled|has not ended|holds/,
    store: (store, life) =>
      of(
        life,
        'order-command',
        store,
        seeing(store, (stream, seen) =>
          stream === 'order' && statusIn(seen) === 'CANCELLED' ? { ...seen, state: { ...(seen.state as object), status: 'PLACED' } } : seen,
        ),
      ),
  },
  {
    bug: 'an answer given before the write is durable',
    shows: /not durable/,
    store: (store, life) =>
      of(life, 'order-command', store, {
        execute: async (command) => {
          const decided = command.decide({ of: (ref) => ({ version: 0, state: ref.type.initialState as never }) })
          void life.clock
            .sleep(50)
            .then(() => store.execute(command))
            .catch(() => undefined)
          return { answer: decided.answer, replayed: false }
        },
      }),
  },
]

const changeStep = (saga: AnySaga, name: string, change: (step: AnyStep) => AnyStep): AnySaga => ({
  ...saga,
  steps: saga.steps.map((step) => (step.name === name ? change(step) : step)),
})

const withoutUndo = (step: AnyStep): AnyStep => {
  const { undo, ...rest } = step
  if (!undo) throw new Error(`${step.name} has nothing to undo`)
  return rest
}

const changeData = (action: Action<JsonObject>, change: (data: JsonObject) => JsonObject): Action<JsonObject> =>
  action.kind !== 'command'
    ? action
    : {
        ...action,
        message: (saga, call) => {
          const message = action.message(saga, call)
          return { ...message, data: change(message.data) }
        },
      }

type Decide = Rules['wallet']['decide']
type WalletEvents = Exclude<ReturnType<Decide>, { readonly refused: true }>

const deciding = (rules: Rules, change: (command: Parameters<Decide>[0], events: WalletEvents) => WalletEvents): Rules => ({
  clock: rules.clock,
  ids: rules.ids,
  limitsAt: rules.limitsAt,
  wallet: {
    ...rules.wallet,
    decide: (command, state) => {
      const decided = rules.wallet.decide(command, state)
      return isRefusal(decided) ? decided : change(command, decided)
    },
  },
})

/** The store of one app changed; the others' stay. */
const of = (life: Life, app: string, store: EventStore, change: Partial<EventStore>): EventStore =>
  life.name === app ? { ...methodsOf(store), ...change } : store

/** Commands decide on what `see` makes of a stream. */
const seeing = (
  store: EventStore,
  see: (category: string, seen: StreamState, id: string) => StreamState,
): Pick<EventStore, 'execute' | 'executeAll'> => {
  const blind = (command: Command): Command => ({
    ...command,
    decide: (states) => {
      const seen: StatesOf = {
        of: (ref) => see(ref.type.category, states.of(ref), ref.id) as never,
      }
      return command.decide(seen)
    },
  })
  return {
    execute: (command) => store.execute(blind(command)),
    executeAll: (commands, tx) => store.executeAll(commands.map(blind), tx),
  }
}

const statusIn = ({ state }: StreamState): unknown =>
  typeof state === 'object' && state !== null ? Reflect.get(state, 'status') : undefined

/** The port's methods, those of a class too. */
const methodsOf = <Port extends object>(port: Port): Port =>
  new Proxy({} as Port, {
    get: (_, name) => {
      const value: unknown = Reflect.get(port, name)
      return typeof value === 'function' ? value.bind(port) : value
    },
    ownKeys: () => [...Reflect.ownKeys(port), ...Reflect.ownKeys(Object.getPrototypeOf(port) as object)],
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  })
