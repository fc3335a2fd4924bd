import { checkedIdentifier } from '#postgres'
import type pg from 'pg'

/**
 * Forgets every consumer of the log. For whoever knows that all processes that consumed it are dead: those that start now need not wait until
 * the dead ones' partitions fall free. One that lives after all joins again with its next heartbeat, and its batch under way meets the fence.
 */
export const forgetLogMembers = async (client: pg.ClientBase, schema = 'log'): Promise<void> => {
  await client.query(`DELETE FROM ${checkedIdentifier(schema)}.member`)
}
