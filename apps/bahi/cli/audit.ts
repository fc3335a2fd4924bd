import { actCommand, auditStream, openEventStore } from '#event-store'
import { systemClock, systemIds } from '#kernel'
import { userInfo } from 'node:os'
import type { Place } from './place.js'

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
