import { auditStream } from '#event-store'
import { sagaStream } from '#saga'

/** What this app's store keeps. */
export const streamTypes = [sagaStream, auditStream]
