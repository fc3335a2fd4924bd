import { systemClock, systemRandom, type Clock, type Random } from '#kernel'
import { DependencyUnavailable } from '../failure.js'
import type {
  ConsumeOptions,
  GroupStanding,
  HeldBack,
  LogConsumer,
  LogDriver,
  LogGapReason,
  LogProducer,
  PartitionOffsets,
  Standing,
  TopicSpec,
} from '../log.js'
import { Hub } from './hub.js'
import { GroupMember } from './member.js'
import { PostgresProducer } from './producer.js'

export interface PostgresLogOptions {
  /** `postgres://user:password@host:port/database` */
  readonly url: string
  /** Where `logMigrations` ran; `log`. */
  readonly schema?: string
  /** Connections of this process, one for the doorbell aside; 4. */
  readonly maxConnections?: number
  /** How long a killed member keeps its partitions; 6 s. */
  readonly leaseTtl_ms?: number
  /** The slow poll behind the doorbell; 5 s. */
  readonly poll_ms?: number
  readonly clock?: Clock
  readonly random?: Random
  /**
   * Drivers of one process with the same URL and schema share connections, doorbell and what they appended: five apps in one process cost
   * as much as one. False gives this one its own, as a process of its own would have.
   */
  readonly shared?: boolean
}

interface Shared {
  readonly hub: Hub
  users: number
}

const hubs = new Map<string, Shared>()

/** The log in PostgreSQL: for one database's worth of load; one process or several. Connects at first use. */
export const postgresLog = (options: PostgresLogOptions): LogDriver => new PostgresLog(options)

class PostgresLog implements LogDriver {
  readonly name = 'postgres'
  readonly #consumers = new Set<GroupMember>()
  readonly #producers = new Set<LogProducer>()
  #hub: Hub | undefined
  #closed = false

  constructor(private readonly options: PostgresLogOptions) {}

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    const { pool } = this.#open()
    for (const { name, partitions, retention_ms, compacted } of topics)
      await pool.query('SELECT ensure_topic($1, $2, $3, $4)', [name, partitions, retention_ms, compacted ?? false])
    this.#open().forgetTopics()
  }

  producer(): Promise<LogProducer> {
    const producer = new PostgresProducer(this.#open())
    this.#producers.add(producer)
    return Promise.resolve(producer)
  }

  async consume(options: ConsumeOptions): Promise<LogConsumer> {
    const member: GroupMember = new GroupMember(this.#open(), options, this.options.leaseTtl_ms ?? 6_000, () =>
      this.#consumers.delete(member),
    )
    this.#consumers.add(member)
    await member.join()
    return member
  }

  async offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    const { rows } = await this.#open().pool.query<{ partition: number; first: bigint; next: bigint }>({
      name: 'log-offsets',
      text: `SELECT p.number AS partition, p.first, p.next FROM partition p JOIN topic t ON t.id = p.topic_id WHERE t.name = $1 ORDER BY p.number`,
      values: [topic],
    })
    return rows
  }

  async groups(): Promise<readonly GroupStanding[]> {
    const { rows } = await this.#open().pool.query<GroupRow>({ name: 'log-groups', text: GROUPS })
    return rows.map(({ waiting_since_ms, gap, breaker, told_at_ms, lag, ...row }) => ({
      ...row,
      lag: Number(lag),
      toldAt_ms: Number(told_at_ms),
      ...(waiting_since_ms === null ? {} : { waitingSince_ms: Number(waiting_since_ms) }),
      ...(gap === null ? {} : { gap }),
      ...(breaker === null ? {} : { breaker }),
    }))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await Promise.all([...this.#producers].map((producer) => producer.close()))
    if (this.#hub) await giveBack(this.#hub)
  }

  #open(): Hub {
    if (this.#closed) throw new DependencyUnavailable('the log driver is closed')
    return (this.#hub ??= take(this.options))
  }
}

interface GroupRow extends Omit<Standing, 'lag' | 'waitingSince_ms' | 'gap' | 'breaker'> {
  readonly group: string
  readonly owned: boolean
  readonly lag: bigint
  readonly waiting_since_ms: bigint | null
  readonly gap: LogGapReason | null
  readonly breaker: HeldBack | null
  readonly told_at_ms: bigint
}

const GROUPS = `
  SELECT l."group", t.name AS topic, p.number AS partition, l.next, l.deferred, l.parked, l.gap, l.breaker,
    EXISTS (SELECT FROM member m WHERE m."group" = l."group" AND m.member = l.member AND m.expires_at > clock_timestamp()) AS owned,
    greatest(p.next - greatest(l.next, p.first), 0) AS lag,
    (SELECT r.recorded_at_ms FROM record r WHERE r.partition_id = p.id AND r."offset" >= l.next ORDER BY r."offset" LIMIT 1) AS waiting_since_ms,
    (extract(epoch FROM l.told_at) * 1000)::bigint AS told_at_ms
  FROM lease l JOIN partition p ON p.id = l.partition_id JOIN topic t ON t.id = p.topic_id
  WHERE l.told_at IS NOT NULL ORDER BY 1, 2, 3`

const take = (options: PostgresLogOptions): Hub => {
  const key = options.shared === false ? undefined : `${options.url} ${options.schema ?? 'log'}`
  const existing = key === undefined ? undefined : hubs.get(key)
  if (existing) {
    existing.users++
    return existing.hub
  }
  const hub = new Hub(
    { url: options.url, schema: options.schema ?? 'log', applicationName: 'log', maxConnections: options.maxConnections ?? 4 },
    options.clock ?? systemClock,
    options.random ?? systemRandom,
    options.poll_ms ?? 5_000,
  )
  if (key !== undefined) hubs.set(key, { hub, users: 1 })
  return hub
}

const giveBack = async (hub: Hub): Promise<void> => {
  for (const [key, shared] of hubs) {
    if (shared.hub !== hub) continue
    if (--shared.users > 0) return
    hubs.delete(key)
  }
  await hub.close()
}
