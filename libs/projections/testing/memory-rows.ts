import { asMemory } from '#kernel/testing'
import type { Transaction } from '#kernel'
import { groupRows, isNewer, keyOf, storableJson, type AppliedVersion, type RowStore, type Table, type Upsert } from '../rows.js'

export interface MemoryRowStore extends RowStore {
  /** The committed rows of a table, in no order. Dates read back as RFC 3339 text. */
  rows(of: Table): readonly Readonly<Record<string, unknown>>[]
}

interface Pending {
  readonly applied: Map<string, AppliedVersion>
}

/** Rows in memory, for tests and the simulator; transactions are `memoryTransactions` of `#kernel/testing`. */
export const memoryRows = (): MemoryRowStore => {
  const applied = new Map<string, AppliedVersion>()
  const tables = new Map<Table, Map<string, Record<string, unknown>>>()
  const bells: (() => void)[] = []
  const pending = new WeakMap<Transaction, Pending>()

  const begin = (tx: Transaction): Pending => {
    const known = pending.get(tx)
    if (known) return known
    const made: Pending = { applied: new Map() }
    pending.set(tx, made)
    asMemory(tx).onCommit(() => {
      for (const [stream, version] of made.applied) applied.set(stream, version)
      if (made.applied.size > 0) for (const ring of bells) ring()
    })
    return made
  }

  const write = (upserts: readonly Upsert[]): void => {
    for (const { table, rows } of groupRows(upserts)) {
      const kept = tables.get(table) ?? new Map<string, Record<string, unknown>>()
      tables.set(table, kept)
      for (const row of JSON.parse(storableJson(rows)) as Record<string, unknown>[]) {
        const key = keyOf(table, row)
        kept.set(key, { ...kept.get(key), ...row })
      }
    }
  }

  return {
    async advance(tx, streams) {
      const mine = begin(tx)
      const moved = new Map<string, AppliedVersion | undefined>()
      for (const { stream, incarnation, version } of streams) {
        const before = mine.applied.get(stream) ?? applied.get(stream)
        if (!isNewer({ incarnation, version }, before)) continue
        moved.set(stream, before)
        mine.applied.set(stream, { incarnation, version })
      }
      return moved
    },
    async upsert(tx, upserts) {
      asMemory(tx).onCommit(() => write(upserts))
    },
    async applied(streams) {
      return new Map(
        streams.flatMap((stream) => {
          const version = applied.get(stream)
          return version ? [[stream, version] as const] : []
        }),
      )
    },
    onApplied: (ring) => void bells.push(ring),
    rows: (of) => [...(tables.get(of)?.values() ?? [])],
  }
}
