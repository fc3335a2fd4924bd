import { checkedIdentifier } from '#postgres'
import type pg from 'pg'

/**
 * Takes the relay's lease from whoever holds it, for whoever knows that it is dead: the next relay need not wait until it runs out. The epoch
 * moves on, so one that lives after all cannot move the position any more.
 */
export const releaseRelay = async (client: pg.ClientBase, schema: string): Promise<void> => {
  await client.query(`UPDATE ${checkedIdentifier(schema)}.relay SET owner = NULL, epoch = epoch + 1, lease_until = '-infinity'`)
}
