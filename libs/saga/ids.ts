import { createHash } from 'node:crypto'

/** A UUIDv7 (RFC 9562): 48 bits of time first. */
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?=$|:)/i

/**
 * The id of the one saga of `type` for `correlationKey`. It is computed, not drawn: whoever has the key can address the saga without a
 * look-up, and a second start meets the first one's stream. Of a key that begins with a UUIDv7 it keeps the time, so that sagas sort by age too.
 */
export const sagaIdFor = (type: string, correlationKey: string): string => {
  const hash = createHash('sha256').update(`${type}\n${correlationKey}`).digest('hex')
  const time = UUID_V7.test(correlationKey) ? correlationKey.toLowerCase().slice(0, 13) : `${hash.slice(32, 40)}-${hash.slice(40, 44)}`
  // Version 7 where the time is one; 8 (RFC 9562: custom) where it is only a hash.
  const version = UUID_V7.test(correlationKey) ? '7' : '8'
  const variant = (0x8 | (parseInt(hash.charAt(3), 16) & 0x3)).toString(16)
  return `${time}-${version}${hash.slice(0, 3)}-${variant}${hash.slice(4, 7)}-${hash.slice(7, 19)}`
}

/** Which of a saga's actions a command's id or an activity's idempotency key belongs to. */
export interface ActionKey {
  readonly sagaId: string
  readonly step: string
  readonly side: Side
  readonly round: number
}

/** `do` is a step's own action, `undo` its compensation. */
export type Side = 'do' | 'undo'

/** `<saga>:<step>`, `<saga>:<step>:undo`, and `:2` behind it for a second round. The same round is the same key: a repeat has one effect. */
export const actionKey = ({ sagaId, step, side, round }: ActionKey): string =>
  `${sagaId}:${step}${side === 'undo' ? ':undo' : ''}${round > 1 ? `:${round}` : ''}`

const ACTION_KEY = /^([^:]{1,64}):([a-z0-9-]{1,64})(:undo)?(?::([0-9]{1,6}))?$/

export const parseActionKey = (key: string): ActionKey | undefined => {
  const [, sagaId, step, undo, round] = ACTION_KEY.exec(key) ?? []
  if (sagaId === undefined || step === undefined) return undefined
  return { sagaId, step, side: undo ? 'undo' : 'do', round: round === undefined ? 1 : Number(round) }
}
