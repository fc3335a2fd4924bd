import { MAX_CURSOR_LENGTH } from './cursor.js'
import { QueryWhole, Text } from './fields.js'

/** `?limit=&cursor=` of every list; extend it for filters. */
export class PageQuery {
  @QueryWhole({ min: 1, max: 100, default: 20, optional: true })
  readonly limit: number = 20

  @Text({ max: MAX_CURSOR_LENGTH, optional: true, description: 'Opaque: `nextCursor` of the page before.' })
  readonly cursor?: string
}
