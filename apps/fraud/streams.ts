import { auditStream } from '#event-store'
import { alertType } from './alerts/alert-stream.js'

/** What this app's store keeps. */
export const streamTypes = [alertType, auditStream]
