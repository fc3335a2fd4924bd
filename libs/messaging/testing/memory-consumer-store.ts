import type { Transaction } from '#kernel'
import { asMemory } from '#kernel/testing'
import { letterId } from '../consumer/letter-id.js'
import type {
  Aside,
  ConsumerStore,
  DeadLetter,
  DeadLetterState,
  DeferredMessage,
  LetterChange,
  Place,
  Progress,
  ReadUpTo,
  RedriveOrder,
} from '../consumer/store.js'
import { partitionName, type StoredRecord, type TopicPartition } from '../log.js'

interface Waiting extends DeferredMessage {
  readonly group: string
}

interface Parked {
  readonly group: string
  readonly letter: DeadLetter
  published: boolean
  state: DeadLetterState
  revision: number
  at_ms: number
  by?: string
}

/** A consumer's tables in memory; outlives the processes that use it, as a database does. */
export class MemoryConsumerStore implements ConsumerStore {
  readonly #places = new Map<string, ReadUpTo>()
  readonly #waiting = new Map<string, Waiting>()
  readonly #parked = new Map<string, Parked>()
  /** What a transaction took out and has not committed: it must not see it any more. */
  readonly #taken = new WeakMap<Transaction, Set<string>>()

  progress(group: string, partition: TopicPartition, first: bigint, log?: string): Promise<Progress> {
    const name = `${group} ${partitionName(partition)}`
    const found: ReadUpTo = this.#places.get(name) ?? { next: first, marks: [] }
    const place: ReadUpTo = { ...found, log: found.log ?? log }
    this.#places.set(name, place)
    const keys = this.#of(group, [partition]).flatMap(({ redriven, record }) => (redriven ? [] : [record.key]))
    return Promise.resolve({ ...place, deferredKeys: [...new Set(keys)] })
  }

  advance(tx: Transaction, group: string, partition: TopicPartition, from: bigint, to: ReadUpTo): Promise<boolean> {
    const name = `${group} ${partitionName(partition)}`
    const place = this.#places.get(name)
    if (place?.next !== from || (place.log ?? to.log) !== (to.log ?? place.log)) return Promise.resolve(false)
    asMemory(tx).onCommit(() => this.#places.set(name, { ...to, log: to.log ?? place.log }))
    return Promise.resolve(true)
  }

  defer(tx: Transaction, group: string, messages: readonly DeferredMessage[]): Promise<void> {
    asMemory(tx).onCommit(() => {
      for (const message of messages) {
        const id = idOf(group, message.record)
        if (!this.#waiting.has(id)) this.#waiting.set(id, { ...message, group })
      }
    })
    return Promise.resolve()
  }

  due(group: string, partitions: readonly TopicPartition[], now_ms: number, limit: number): Promise<readonly DeferredMessage[]> {
    const due = this.#heads(group, partitions).filter(({ due_ms }) => due_ms <= now_ms)
    return Promise.resolve(due.sort((a, b) => a.due_ms - b.due_ms || Number(a.record.offset - b.record.offset)).slice(0, limit))
  }

  nextDue(group: string, partitions: readonly TopicPartition[]): Promise<number | undefined> {
    const times = this.#heads(group, partitions).map(({ due_ms }) => due_ms)
    return Promise.resolve(times.length === 0 ? undefined : Math.min(...times))
  }

  settle(tx: Transaction, group: string, record: StoredRecord, now_ms: number): Promise<boolean> {
    const id = idOf(group, record)
    const taken = this.#takenBy(tx)
    if (!this.#waiting.has(id) || taken.has(id)) return Promise.resolve(false)
    taken.add(id)
    asMemory(tx).onCommit(() => {
      this.#waiting.delete(id)
      const parked = this.#parked.get(letterId(group, record))
      if (parked?.state === 'redriven') change(parked, 'recovered', now_ms)
    })
    return Promise.resolve(true)
  }

  waits(tx: Transaction, group: string, partition: TopicPartition, key: string): Promise<boolean> {
    const taken = this.#takenBy(tx)
    const left = this.#of(group, [partition]).filter(
      ({ record, redriven }) => record.key === key && !redriven && !taken.has(idOf(group, record)),
    )
    return Promise.resolve(left.length > 0)
  }

  postpone(tx: Transaction, group: string, message: DeferredMessage): Promise<boolean> {
    const id = idOf(group, message.record)
    const there = this.#waiting.get(id)
    if (!there) return Promise.resolve(false)
    asMemory(tx).onCommit(() => this.#waiting.set(id, { ...there, ...message, group }))
    return Promise.resolve(true)
  }

  park(tx: Transaction, group: string, letters: readonly DeadLetter[]): Promise<void> {
    asMemory(tx).onCommit(() => {
      for (const letter of letters) {
        const revision = (this.#parked.get(letter.id)?.revision ?? 0) + 1
        this.#parked.set(letter.id, { group, letter, published: false, state: 'parked', revision, at_ms: letter.parkedAt_ms })
      }
    })
    return Promise.resolve()
  }

  unpublished(group: string, limit: number): Promise<readonly LetterChange[]> {
    const changed = [...this.#parked.values()].filter((parked) => parked.group === group && !parked.published)
    return Promise.resolve(
      changed
        .slice(0, limit)
        .map(({ letter, state, revision, at_ms, by }) => ({ letter, state, revision, at_ms, ...(by !== undefined && { by }) })),
    )
  }

  published(group: string, changes: readonly LetterChange[]): Promise<void> {
    for (const { letter, revision } of changes) {
      const parked = this.#parked.get(letter.id)
      if (parked?.group === group && parked.revision === revision) parked.published = true
    }
    return Promise.resolve()
  }

  redrive(tx: Transaction, group: string, id: string, { by, at_ms }: RedriveOrder): Promise<boolean> {
    const parked = this.#parked.get(id)
    if (!parked || parked.group !== group || parked.state !== 'parked') return Promise.resolve(false)
    asMemory(tx).onCommit(() => {
      change(parked, 'redriven', at_ms)
      parked.by = by
      const { record, failure } = parked.letter
      const held = this.#waiting.get(idOf(group, record))
      this.#waiting.set(idOf(group, record), { redriven: held === undefined, ...held, group, record, failure, attempts: 0, due_ms: at_ms })
    })
    return Promise.resolve(true)
  }

  forgetRecovered(group: string, before_ms: number, limit: number): Promise<number> {
    const old = [...this.#parked].filter(
      ([, each]) => each.group === group && each.state === 'recovered' && each.published && each.at_ms < before_ms,
    )
    for (const [id] of old.slice(0, limit)) this.#parked.delete(id)
    return Promise.resolve(Math.min(old.length, limit))
  }

  places(group: string): Promise<readonly Place[]> {
    const places = [...this.#places].flatMap(([name, { next, log }]) => {
      const [of = '', place = ''] = name.split(' ')
      const slash = place.lastIndexOf('/')
      return of === group
        ? [{ topic: place.slice(0, slash), partition: Number(place.slice(slash + 1)), next, ...(log !== undefined && { log }) }]
        : []
    })
    return Promise.resolve(places)
  }

  aside(group: string): Promise<readonly Aside[]> {
    const counts = new Map<string, { topic: string; partition: number; deferred: number; parked: number }>()
    const of = ({ topic, partition }: TopicPartition) => {
      const name = partitionName({ topic, partition })
      const count = counts.get(name) ?? { topic, partition, deferred: 0, parked: 0 }
      counts.set(name, count)
      return count
    }
    for (const waiting of this.#waiting.values()) if (waiting.group === group) of(waiting.record).deferred++
    for (const parked of this.#parked.values()) if (parked.group === group && parked.state === 'parked') of(parked.letter.record).parked++
    return Promise.resolve([...counts.values()])
  }

  /** Dead letters that were not redriven: for checks. */
  parked(): readonly DeadLetter[] {
    return [...this.#parked.values()].filter(({ state }) => state === 'parked').map(({ letter }) => letter)
  }

  /** Dead letters, redriven or not: for checks. */
  letters(): readonly DeadLetter[] {
    return [...this.#parked.values()].map(({ letter }) => letter)
  }

  /** How many messages wait: for checks. */
  get waiting(): number {
    return this.#waiting.size
  }

  #of(group: string, partitions: readonly TopicPartition[]): readonly Waiting[] {
    const names = new Set(partitions.map(partitionName))
    return [...this.#waiting.values()]
      .filter((each) => each.group === group && names.has(partitionName(each.record)))
      .sort((a, b) => Number(a.record.offset - b.record.offset))
  }

  #heads(group: string, partitions: readonly TopicPartition[]): Waiting[] {
    const seen = new Set<string>()
    return this.#of(group, partitions).filter(({ record, redriven }) => {
      const lane = redriven ? idOf(group, record) : `${partitionName(record)} ${record.key}`
      return !seen.has(lane) && seen.add(lane)
    })
  }

  #takenBy(tx: Transaction): Set<string> {
    let taken = this.#taken.get(tx)
    if (!taken) this.#taken.set(tx, (taken = new Set()))
    return taken
  }
}

const change = (parked: Parked, state: DeadLetterState, at_ms: number): void => {
  parked.state = state
  parked.revision++
  parked.at_ms = at_ms
  parked.published = false
}

const idOf = (group: string, { topic, partition, offset, timestamp_ms }: StoredRecord): string =>
  `${group}/${topic}/${partition}/${offset}/${timestamp_ms}`
