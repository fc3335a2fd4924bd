import { describe, expect, it } from '@jest/globals'
import type { AnyStreamType, DomainEvent } from '#event-store'
import { STORES } from '../../apps/bahi/cli/place.js'
import { stories } from './stories.js'

const types = [...new Set(Object.values(STORES).flatMap((store) => store.types as readonly AnyStreamType[]))]

/** The event types of its stories that close a stream, and those that open one again. */
const turns = (type: AnyStreamType) => {
  const [closes, reopens] = [new Set<string>(), new Set<string>()]
  for (const story of stories[type.category] ?? []) {
    let state = type.initialState
    for (const event of story) {
      const before = type.closed?.(state) === true
      state = type.evolve(state, event as DomainEvent)
      const after = type.closed?.(state) === true
      if (after && !before) closes.add(event.type)
      if (before && !after) reopens.add(event.type)
    }
  }
  return { closes: [...closes].sort(), reopens: [...reopens].sort() }
}

describe('a stream that may be archived', () => {
  it.each([
    ['alert', ['AlertDecided', 'SampleLabelled', 'SampleLapsed'], []],
    ['audit', [], []],
    ['order', ['OrderCancelled', 'OrderDelivered', 'OrderReturned'], ['OrderReturnRequested']],
    ['product', [], []],
    ['reservation', ['ReservationReleased', 'ReservationShipped'], []],
    ['saga', ['SagaCompensated', 'SagaCompleted'], []],
    ['stock', [], []],
    ['wallet', ['WalletClosed'], []],
    ['wallet-owner', [], []],
  ])('of %s is one that %j closed', (category, closes, reopens) => {
    expect(types.filter((type) => type.category === category).map(turns)).toEqual([{ closes, reopens }])
  })

  it('is said of every category that is stored, and is never one that is new', () => {
    expect(types.map(({ category }) => category).sort()).toEqual([
      'alert',
      'audit',
      'order',
      'product',
      'reservation',
      'saga',
      'stock',
      'wallet',
      'wallet-owner',
    ])
    for (const type of types) expect(type.closed?.(type.initialState) ?? false).toBe(false)
  })
})
