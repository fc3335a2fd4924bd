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

/** As a row's own time is written: PostgreSQL knows no year 0, fewer offsets than RFC 3339, and, where `Date.parse` counts on, no 30 February. */
const isTime = (key: Json | undefined): key is string =>
  typeof key === 'string' && /^[12]\d{3}-/.test(key) && !Number.isNaN(Date.parse(key)) && new Date(key).toISOString() === key

const isText = (key: Json | undefined): key is string => typeof key === 'string' && !key.includes('\0') && key.isWellFormed()

/** Where a page of a list by time alone ended: the last row's time and its id. What it accepts, PostgreSQL accepts. */
export const isTimePlace = (value: Json): value is [time: string, id: string] =>
  Array.isArray(value) && value.length === 2 && isTime(value[0]) && isText(value[1])

const ACCEPTED: Readonly<Record<Sort['type'], (key: Json | undefined) => key is SortKey>> = {
  timestamptz: isTime,
  bigint: (key): key is SortKey => typeof key === 'string' && /^\d{1,18}$/.test(key),
  text: isText,
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
      Array.isArray(value) && value.length === 3 && value[0] === sortName && ACCEPTED[type](value[1]) && isText(value[2])
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
