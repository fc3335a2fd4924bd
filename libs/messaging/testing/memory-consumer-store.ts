import type { Transaction } from '#kernel'
import { asMemory } from '#kernel/testing'
import type { ConsumerStore, DeadLetter, DeferredMessage, Mark, Progress } from '../consumer/store.js'
import { partitionName, type StoredRecord, type TopicPartition } from '../log.js'

interface Waiting extends DeferredMessage {
  readonly group: string
}

interface Parked {
  readonly group: string
  readonly letter: DeadLetter
  published: boolean
  redriven: boolean
}

/** A consumer's tables in memory; outlives the processes that use it, as a database does. */
export class MemoryConsumerStore implements ConsumerStore {
  readonly #places = new Map<string, { readonly next: bigint; readonly marks: readonly Mark[] }>()
  readonly #waiting = new Map<string, Waiting>()
  readonly #parked = new Map<string, Parked>()
  /** What a transaction took out and has not committed: it must not see it any more. */
  readonly #taken = new WeakMap<Transaction, Set<string>>()

  progress(group: string, partition: TopicPartition, first: bigint): Promise<Progress> {
    const name = `${group} ${partitionName(partition)}`
    const place = this.#places.get(name) ?? { next: first, marks: [] }
    this.#places.set(name, place)
    const keys = this.#of(group, [partition]).flatMap(({ redriven, record }) => (redriven ? [] : [record.key]))
    return Promise.resolve({ ...place, deferredKeys: [...new Set(keys)] })
  }

  advance(tx: Transaction, group: string, partition: TopicPartition, from: bigint, to: bigint, marks: readonly Mark[]): Promise<boolean> {
    const name = `${group} ${partitionName(partition)}`
    if (this.#places.get(name)?.next !== from) return Promise.resolve(false)
    asMemory(tx).onCommit(() => this.#places.set(name, { next: to, marks }))
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

  settle(tx: Transaction, group: string, record: StoredRecord): Promise<boolean> {
    const id = idOf(group, record)
    const taken = this.#takenBy(tx)
    if (!this.#waiting.has(id) || taken.has(id)) return Promise.resolve(false)
    taken.add(id)
    asMemory(tx).onCommit(() => this.#waiting.delete(id))
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
      for (const letter of letters) this.#parked.set(letter.id, { group, letter, published: false, redriven: false })
    })
    return Promise.resolve()
  }

  unpublished(group: string, limit: number): Promise<readonly DeadLetter[]> {
    const letters = [...this.#parked.values()].filter((parked) => parked.group === group && !parked.published)
    return Promise.resolve(letters.slice(0, limit).map(({ letter }) => letter))
  }

  published(group: string, ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const parked = this.#parked.get(id)
      if (parked?.group === group) parked.published = true
    }
    return Promise.resolve()
  }

  redrive(tx: Transaction, group: string, id: string, now_ms: number): Promise<boolean> {
    const parked = this.#parked.get(id)
    if (!parked || parked.group !== group || parked.redriven) return Promise.resolve(false)
    asMemory(tx).onCommit(() => {
      parked.redriven = true
      const { record, failure } = parked.letter
      const held = this.#waiting.get(idOf(group, record))
      this.#waiting.set(idOf(group, record), { redriven: held === undefined, ...held, group, record, failure, attempts: 0, due_ms: now_ms })
    })
    return Promise.resolve(true)
  }

  /** Dead letters that were not redriven: for checks. */
  parked(): readonly DeadLetter[] {
    return [...this.#parked.values()].filter(({ redriven }) => !redriven).map(({ letter }) => letter)
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

const idOf = (group: string, { topic, partition, offset }: StoredRecord): string => `${group}/${topic}/${partition}/${offset}`
