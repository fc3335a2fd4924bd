import { actCommand, auditStream, openEventStore } from '#event-store'
import { systemClock, systemIds } from '#kernel'
import { InvalidArgumentError } from 'commander'
import { userInfo } from 'node:os'
import type { Place } from './place.js'

/** Of an option whose text is kept for good: it is said, and is not the next option, which one that was left out would swallow. */
export const keptText =
  (most: number) =>
  (text: string): string => {
    if (text.trim() === '' || text.startsWith('--') || text.length > most)
      throw new InvalidArgumentError(`It is a text of 1 to ${most} characters.`)
    return text
  }

/** Of `--reason`: as long as it may be over HTTP. */
export const reasonText = keptText(500)

/**
 * Puts an act of this console's into the audit trail of a store, before it is done: what it changes is not in that store, so the two cannot
 * be one transaction, and an entry of what then failed is better than an act without one. 202 says that it was asked for.
 */
export const recordAct = async ({ pool, postgres }: Omit<Place, 'types'>, action: string, path: string, reason?: string): Promise<void> => {
  const options = { pool, postgres, types: [auditStream], publish: () => [], clock: systemClock, app: 'bahi-cli' }
  const store = await openEventStore(options)
  try {
    const id = `bahi ${systemIds.next()}`
    const who = { actor: userInfo().username, context: { correlationId: id, causationId: id }, ...(reason === undefined ? {} : { reason }) }
    await store.execute(actCommand(id, who, { action: `bahi ${action}`, path, roles: ['console'] }, { status: 202 }))
  } finally {
    await store.close()
  }
}
