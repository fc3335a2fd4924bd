import { describe, expect, it } from '@jest/globals'
import { CommandAnswered, type CommandAnsweredData } from '#contracts'
import type { IncomingMessage } from '#kernel'
import fc from 'fast-check'
import { actionKey, sagaIdFor } from './ids.js'
import { SagaInbox } from './inbox.js'

const answer = (data: CommandAnsweredData): IncomingMessage => ({
  id: 'm-1',
  type: CommandAnswered.type,
  schemaVersion: 1,
  topic: 'replies',
  partition: 0,
  offset: 0n,
  key: data.replyTo,
  source: 'wallet',
  time: 0,
  data: { ...data },
  context: { correlationId: 'c', causationId: 'x' },
  origin: { incarnation: '0190a000-0000-7000-8000-00000000000a', position: 1n, ordinal: 0 },
})

describe('an answer to a saga', () => {
  const inbox = new SagaInbox({ apply: async () => [] }, {})
  const sagaId = sagaIdFor('order-payment', 'o-1')
  const other = sagaIdFor('order-payment', 'o-2')
  const key = (of: string) => actionKey({ sagaId: of, step: 'hold-funds', side: 'do', round: 1 })
  const accepted = (replyTo: string, commandId: string) => answer({ replyTo, commandId, command: 'HoldFunds', outcome: 'accepted' })

  it('is heard where its command is that saga’s own', () => {
    expect(inbox.route(accepted(sagaId, key(sagaId)))).toMatchObject([{ sagaId, key: key(sagaId), outcome: { outcome: 'succeeded' } }])
  })

  it('that is forged, for the command of another saga or for none, is nobody’s', () => {
    expect(inbox.route(accepted(sagaId, key(other)))).toEqual([])
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 100 }), (commandId) => {
        fc.pre(commandId !== key(sagaId))
        expect(inbox.route(accepted(sagaId, commandId))).toEqual([])
      }),
    )
  })

  it('off its contract is set aside and not believed', () => {
    const message = accepted(sagaId, key(sagaId))
    expect(() => inbox.route({ ...message, data: { ...message.data, outcome: 'paid' } })).toThrow()
  })
})
