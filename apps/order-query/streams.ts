import { auditStream } from '#event-store'

/** What this app's store keeps: what was done by privileged roles, and nothing else. */
export const streamTypes = [auditStream]
