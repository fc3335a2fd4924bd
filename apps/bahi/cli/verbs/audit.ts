import { isInstant } from '#platform'
import { InvalidArgumentError, type Command } from 'commander'
import { AuditTrail } from '../../../order-query/ops/audit.js'
import type { Io } from '../io.js'
import { atReadModels, withPlaceOfOne, type PlaceOptions } from '../place.js'

interface Options extends Omit<PlaceOptions, 'app'> {
  readonly actor?: string
  readonly on?: string
  readonly from?: string
  readonly to?: string
  readonly json?: true
}

/** Entries read at once. */
const PAGE = 100

/** `bahi audit`: who did what by a role that customers do not have, as order-query collected it. */
export const register = (program: Command, io: Io): void => {
  const audit = program.command('audit').description('who did what by a role that customers do not have, in all apps, the newest first')
  withPlaceOfOne(audit, io)
    .option('--actor <sub>', 'only of this person')
    .option('--on <path>', 'only on this, such as /v1/wallets/…/freeze')
    .option('--from <time>', 'from this time on, RFC 3339', instant)
    .option('--to <time>', 'before this time', instant)
    .option('--json', 'JSON, one object a line')
    .action((options: Options) => list(io, options))
}

const list = (io: Io, { actor, on, from, to, json, ...place }: Options) =>
  atReadModels(place, async (pool) => {
    const trail = new AuditTrail({ query: async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows as never })
    const filter = { ...(actor && { actor }), ...(on && { path: on }), ...(from && { from }), ...(to && { to }) }
    for (let cursor: string | undefined; !io.signal.aborted;) {
      const page = await trail.list({ ...filter, limit: PAGE, ...(cursor !== undefined && { cursor }) })
      for (const act of page.items) {
        const { at, app, actor: by, roles, action, path, status, refused = '', reason = '' } = act
        const words = [at, app, `${by} (${roles.join(', ')})`, action, path, String(status), refused, reason]
        await io.out(json ? JSON.stringify(act) : words.filter((word) => word !== '').join('  '))
      }
      if (page.nextCursor === null) return
      cursor = page.nextCursor
    }
  })

const instant = (text: string): string => {
  if (!isInstant(text)) throw new InvalidArgumentError('It is a time such as 2026-11-01T10:00:00Z.')
  return text
}
