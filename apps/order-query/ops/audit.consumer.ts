import { AUDIT_EVENTS, PrivilegedActDone } from '#contracts'
import type { IncomingMessage } from '#kernel'
import { noEffect, type Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { asPg } from '#postgres'
import { Controller } from '@nestjs/common'
import { KEEP_ACT } from './audit.js'

/** Collects the acts that every app with a store recorded, each once. */
@Controller()
export class AuditConsumer {
  @BatchPattern(AUDIT_EVENTS)
  handle(messages: readonly IncomingMessage[]): Promise<Effect> {
    const rows = messages
      .filter(({ type }) => type === PrivilegedActDone.type)
      .map(({ source, origin, context, data }) => {
        const act = PrivilegedActDone.parse(data)
        const id = `${origin.incarnation}/${origin.position}`
        const { actor, roles, action, path, status, refused = null, reason = null, commandId, at } = act
        return [id, source, actor, roles, action, path, status, refused, reason, context.correlationId, commandId, at]
      })
    if (rows.length === 0) return Promise.resolve(noEffect)
    return Promise.resolve(async (tx) => {
      for (const row of rows) await asPg(tx).query(KEEP_ACT, row)
    })
  }
}
