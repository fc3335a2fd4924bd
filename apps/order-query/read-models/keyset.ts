import { Cursor } from '#platform'
import type { Json } from '#kernel'
import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm'

export type SortKey = string | number

/** One way to sort a list: by an expression of our own (never the caller's), then by the row's id, which makes every place unique. */
export interface Sort {
  /** SQL over the query's aliases. */
  readonly expression: string
  readonly direction: 'ASC' | 'DESC'
  /** The SQL type that the key is compared in. */
  readonly type: 'timestamptz' | 'bigint' | 'text' | 'real'
}

const ACCEPTED: Readonly<Record<Sort['type'], (key: Json | undefined) => key is SortKey>> = {
  timestamptz: (key): key is SortKey =>
    typeof key === 'string' &&
    /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(key) &&
    !Number.isNaN(Date.parse(key)) &&
    // JavaScript reads 30 February as 2 March; PostgreSQL does not.
    new Date(key).toISOString() === key,
  bigint: (key): key is SortKey => typeof key === 'string' && /^\d{1,18}$/.test(key),
  text: (key): key is SortKey => typeof key === 'string' && !key.includes('\0') && key.isWellFormed(),
  // Within what a real can hold: 1e300 would be the database's error.
  real: (key): key is SortKey => typeof key === 'number' && (key === 0 || (key > 1e-30 && key < 1e30)),
}

/** Where a page ended: which sort it was of, the last row's key and its id. */
type Place = readonly [sort: string, key: SortKey, id: string]

/**
 * Sorts, goes on behind the cursor and limits to one row more than the page: keyset paging (no OFFSET), so that rows added meanwhile neither
 * repeat nor hide any other. A cursor of another sort is a 400 problem.
 */
export const paginate = <Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  id: string,
  sortName: string,
  { expression, direction, type }: Sort,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
): SelectQueryBuilder<Row> => {
  if (cursor !== undefined) {
    const isPlace = (value: Json): value is Place & Json =>
      Array.isArray(value) && value.length === 3 && value[0] === sortName && ACCEPTED[type](value[1]) && ACCEPTED.text(value[2])
    const [, key, last] = Cursor.parse(cursor, isPlace)
    query.andWhere(`(${expression}, ${id}) ${direction === 'ASC' ? '>' : '<'} (CAST(:cursorKey AS ${type}), :cursorId)`, {
      cursorKey: key,
      cursorId: last,
    })
  }
  return query
    .orderBy(expression, direction)
    .addOrderBy(id, direction)
    .limit(limit + 1)
}
