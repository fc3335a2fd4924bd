import type { Json } from '#kernel'
import { Problem } from '../errors/problem.js'

const invalid = () =>
  new Problem(400, 'invalid-cursor', 'The cursor is not one that this list gave.', {
    errors: [{ pointer: '/cursor', detail: 'is not a cursor of this list' }],
  })

/** Room for the longest sort key, a title of 200 characters of four bytes each, encoded. */
export const MAX_CURSOR_LENGTH = 4_096

/** Where a list goes on: the sort key of the last item, opaque to clients. */
export const Cursor = {
  encode: (position: Json): string => Buffer.from(JSON.stringify(position)).toString('base64url'),

  /** `accept` says whether it has the shape that this list gives, and is what makes the type true. Throws a 400 problem. */
  parse<T extends Json>(text: string, accept: (value: Json) => value is T): T {
    if (text.length > MAX_CURSOR_LENGTH || !/^[A-Za-z0-9_-]+$/.test(text)) throw invalid()
    let value: Json
    try {
      value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Json
    } catch {
      throw invalid()
    }
    if (!accept(value)) throw invalid()
    return value
  },
}

/** A page as every list answers it. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextCursor: string | null
}

/** Makes a page of `limit` from up to `limit + 1` rows: the one too many says that there is more. */
export const pageOf = <Row, Item>(
  rows: readonly Row[],
  limit: number,
  item: (row: Row) => Item,
  position: (row: Row) => Json,
): Page<Item> => {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { items: shown.map(item), nextCursor: rows.length > limit && last !== undefined ? Cursor.encode(position(last)) : null }
}
