import { openEventStore, eventStoreMigrations, type EventStore } from '#event-store'
import { systemClock } from '#kernel'
import {
  Consumer,
  kafkaLog,
  logMigrations,
  messagingMigrations,
  messagingTopics,
  pgConsumerStore,
  postgresLog,
  Relay,
  type BatchHandler,
  type LogDriver,
} from '#messaging'
import { asPg, createPool, migrate, pgTransactions } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { topicSpecs } from '#service'
import type pg from 'pg'
import { PATIENTS } from '../patients.js'
import type { LogName } from '../migrate-log/system.js'

/** What each store publishes to, and every app reads. */
const TOPIC_OF: Readonly<Record<string, string>> = {
  'order-command': 'orders.events',
  wallet: 'wallet.events',
  'payment-saga': 'payments.events',
  fraud: 'fraud.events',
}
const KEYS = 12

interface Said {
  readonly key: string
  readonly seq: number
}

/** A running set of processes of all apps, with one setting. */
export interface Side {
  readonly consumers: ReadonlyMap<string, Consumer>
  readonly driver: LogDriver
  stop(): Promise<void>
}

/**
 * The stores, relays and consumers of all apps on real logs, with handlers that write down what they get. `say` goes the way of an order: through
 * the store. Every message of every store is read by every app.
 */
export class MovingSystem {
  /** Messages that a handler refuses to take, as long as they are here. */
  readonly refused = new Set<string>()
  readonly #sides = new Set<Side>()
  readonly #said = new Map<string, Map<string, number>>()
  #commands = 0
  #talking: Promise<unknown> | undefined
  #silent = false

  private constructor(
    readonly url: string,
    readonly pools: ReadonlyMap<string, pg.Pool>,
    readonly stores: ReadonlyMap<string, EventStore>,
    private readonly brokers: readonly string[],
    private readonly drop: () => Promise<void>,
  ) {}

  static async open(brokers: readonly string[]): Promise<MovingSystem> {
    // Loads the client before anything is connected, as a process does.
    await (await kafkaLog({ brokers, clientId: 'moving' })).close()
    const database = await createTestDatabase(logMigrations, 'log')
    const pools = new Map<string, pg.Pool>()
    const stores = new Map<string, EventStore>()
    for (const [name, { schema, publishes }] of Object.entries(PATIENTS)) {
      const postgres = { url: database.url, schema, applicationName: name, maxConnections: 6 }
      await migrate({ ...postgres, migrations: [...messagingMigrations, ...(publishes ? eventStoreMigrations : [])] })
      const pool = createPool(postgres)
      pools.set(name, pool)
      await pool.query('CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY, source text, key text, seq int)')
      if (publishes) stores.set(name, await openEventStore({ pool, postgres, types: [], publish: () => [], clock: systemClock, app: name }))
    }
    return new MovingSystem(database.url, pools, stores, brokers, () => database.drop())
  }

  async driver(log: LogName): Promise<LogDriver> {
    if (log === 'postgres') return postgresLog({ url: this.url, shared: false })
    const quick = { sessionTimeout_ms: 3_000, heartbeatInterval_ms: 500, rebalanceTimeout_ms: 5_000 }
    return kafkaLog({ brokers: this.brokers, clientId: 'moving', ...quick })
  }

  /** Processes with LOG set to this. */
  async start(log: LogName): Promise<Side> {
    const driver = await this.driver(log)
    await driver.ensureTopics([...topicSpecs({ LOG: log }), ...messagingTopics])
    const relays = [...this.stores].map(([app, { outbox }]) => new Relay({ outbox, driver, app }))
    const consumers = new Map<string, Consumer>()
    for (const [group, pool] of this.pools) {
      const handlers = Object.values(TOPIC_OF).map((topic): [string, BatchHandler] => [topic, this.#handler(group)])
      const retries = { maxAttempts: 2, firstRetry_ms: 20, deferredPoll_ms: 500 }
      const places = { group, transactions: pgTransactions(pool), consumerStore: pgConsumerStore(pool) }
      consumers.set(group, new Consumer({ driver, ...places, ...retries }, new Map(handlers)))
    }
    await Promise.all([...relays.map((relay) => relay.start()), ...[...consumers.values()].map((consumer) => consumer.start())])
    const side = {
      driver,
      consumers,
      stop: async () => {
        this.#sides.delete(side)
        await Promise.all([...relays.map((relay) => relay.stop()), ...[...consumers.values()].map((consumer) => consumer.close())])
        await driver.close()
      },
    }
    this.#sides.add(side)
    return side
  }

  /** Every store goes on publishing, all the time, until `silence`. */
  talk(): void {
    this.#silent = false
    this.#talking = Promise.all(
      [...this.stores.keys()].map(async (app) => {
        for (let n = 0; !this.#silent; n++) {
          await this.say(app, `${app}-${n % KEYS}`)
          await systemClock.sleep(40)
        }
      }),
    )
  }

  async silence(): Promise<void> {
    this.#silent = true
    await this.#talking
  }

  async say(app: string, key: string): Promise<Said> {
    const said = this.#said.get(app) ?? new Map<string, number>()
    this.#said.set(app, said)
    const seq = (said.get(key) ?? 0) + 1
    said.set(key, seq)
    const id = `c-${++this.#commands}`
    const context = { correlationId: id, causationId: id }
    const topic = TOPIC_OF[app] ?? ''
    await this.stores.get(app)?.execute({
      id,
      fingerprint: id,
      streams: [],
      metadata: { ...context, actor: 'tester' },
      decide: () => ({
        appends: [],
        messages: [{ topic, key, type: 'Said', schemaVersion: 1, data: { seq }, context }],
        answer: '',
      }),
    })
    return { key, seq }
  }

  /** What came of everything that was said: one line for each thing that is not as it must be; nothing where it is. */
  async faults(): Promise<readonly string[]> {
    const faults: string[] = []
    for (const [reader, pool] of this.pools) {
      const { rows } = await pool.query<{ source: string; key: string; seqs: number[] }>(
        'SELECT source, key, array_agg(seq ORDER BY id) AS seqs FROM effect GROUP BY source, key',
      )
      const seen = new Map(rows.map(({ source, key, seqs }) => [`${source} ${key}`, seqs.join()]))
      for (const [source, keys] of this.#said)
        for (const [key, last] of keys) {
          const expected = Array.from({ length: last }, (_, n) => n + 1).join()
          const found = seen.get(`${source} ${key}`) ?? ''
          if (found !== expected) faults.push(`${reader}: ${source} ${key}: ${found} instead of ${expected}`)
        }
    }
    return faults
  }

  get said(): number {
    return this.#commands
  }

  /** Parked at an app and not sent back. */
  async parked(app: string): Promise<readonly string[]> {
    const { rows } = await this.#pool(app).query<{ id: string }>(`SELECT id FROM dead_letter WHERE state = 'parked' ORDER BY parked_at_ms`)
    return rows.map(({ id }) => id)
  }

  async close(): Promise<void> {
    await this.silence()
    for (const side of this.#sides) await side.stop()
    for (const store of this.stores.values()) await store.close()
    for (const pool of this.pools.values()) await pool.end()
    await this.drop()
  }

  #pool(app: string): pg.Pool {
    const pool = this.pools.get(app)
    if (!pool) throw new Error(`no app ${app}`)
    return pool
  }

  #handler(group: string): BatchHandler {
    return (messages) => {
      if (messages.some(({ key }) => this.refused.has(`${group} ${key}`))) throw new Error('refused')
      return Promise.resolve(async (tx) => {
        await asPg(tx).query(
          `INSERT INTO effect (source, key, seq) SELECT source, key, seq FROM unnest($1::text[], $2::text[], $3::int[])
             WITH ORDINALITY AS e (source, key, seq, n) ORDER BY n`,
          [messages.map(({ source }) => source), messages.map(({ key }) => key), messages.map(({ data }) => data['seq'])],
        )
      })
    }
  }
}
