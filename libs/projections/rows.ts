import type { Transaction } from '#kernel'

/**
 * How far a stream was applied. Incarnations are UUIDv7, so that a restored store's is greater as a string than the one before it:
 * `(incarnation, version)` pairs compare left to right, and everything of an older incarnation is old.
 */
export interface AppliedVersion {
  readonly incarnation: string
  readonly version: bigint
}

export interface AppliedStream extends AppliedVersion {
  readonly stream: string
}

export const isNewer = (one: AppliedVersion, than: AppliedVersion | undefined): boolean =>
  than === undefined || one.incarnation > than.incarnation || (one.incarnation === than.incarnation && one.version > than.version)

/** A table of a read model: its TypeORM entity and the properties of its primary key. */
export interface Table<Row extends object = object> {
  readonly entity: new () => Row
  readonly key: readonly string[]
}

export const table = <Row extends object>(entity: new () => Row, ...key: readonly (keyof Row & string)[]): Table<Row> => ({ entity, key })

/** What becomes of one row: the named properties take these values, others keep theirs; a row that is not there is made. */
export interface Upsert {
  readonly table: Table
  readonly row: object
}

/** `row` holds the whole key. Values are JSON, or Date; paise and other 64-bit numbers are decimal strings. */
export const upsert = <Row extends object>(into: Table<Row>, row: Partial<Row>): Upsert => ({ table: into, row })

/**
 * Where projections write. All columns but the key can be null: a row may begin with any part of it, because messages of different topics come in any order.
 * Text that PostgreSQL cannot hold (NUL, half a surrogate pair) is kept with U+FFFD in its place.
 */
export interface RowStore {
  /**
   * Moves the streams forward to the given versions. Answers those that moved, with where each was before (undefined: new). A stream that
   * is not behind does not move and is not in the answer. Each stream is named at most once.
   */
  advance(tx: Transaction, streams: readonly AppliedStream[]): Promise<ReadonlyMap<string, AppliedVersion | undefined>>
  /** Applies them as if one after another, in a few statements whatever their number. */
  upsert(tx: Transaction, upserts: readonly Upsert[]): Promise<void>
  /** How far each of these streams was applied and committed. Unknown ones are not in the answer. */
  applied(streams: readonly string[]): Promise<ReadonlyMap<string, AppliedVersion>>
  /** Calls `ring` after each commit in this process that moved a stream. */
  onApplied(ring: () => void): void
}

/** Rows of one table that set the same properties, one for each key: what one statement writes. */
export interface RowGroup {
  readonly table: Table
  readonly properties: readonly string[]
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

/**
 * Merges upserts of the same row, later values over earlier ones, and groups them by table and properties. Rows are sorted by key: two transactions
 * that meet the same rows lock them in the same order.
 */
export const groupRows = (upserts: readonly Upsert[]): readonly RowGroup[] => {
  const tables = new Map<Table, Map<string, Record<string, unknown>>>()
  for (const { table: into, row } of upserts) {
    const rows = tables.get(into) ?? new Map<string, Record<string, unknown>>()
    tables.set(into, rows)
    const key = keyOf(into, row)
    rows.set(key, { ...rows.get(key), ...row })
  }
  return [...tables].flatMap(([into, rows]) => {
    const sorted = [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row)
    const groups = Map.groupBy(sorted, (row) => Object.keys(row).sort().join())
    return [...groups.values()].map((rows) => ({ table: into, properties: Object.keys(rows[0] ?? {}).sort(), rows }))
  })
}

export const keyOf = (into: Table, row: object): string => {
  const values = new Map<string, unknown>(Object.entries(row))
  return JSON.stringify(
    into.key.map((property) => {
      const value = values.get(property)
      if (value === undefined || value === null) throw new TypeError(`a row of ${into.entity.name} has no ${property}`)
      return String(value)
    }),
  )
}

/** JSON of rows that PostgreSQL can take in: NUL and half surrogate pairs, which its text type has no room for, become U+FFFD. */
export const storableJson = (rows: unknown): string => {
  const json = JSON.stringify(rows)
  return UNSTORABLE.test(json)
    ? JSON.stringify(rows, (_, value: unknown) => (typeof value === 'string' ? storableText(value) : value))
    : json
}

/** Seen in JSON, where they are written as escapes. */
const UNSTORABLE = /\\u(0000|d[89a-f])/i

const storableText = (text: string): string => text.toWellFormed().replaceAll('\0', '\uFFFD')
