import { describe, expect, it } from '@jest/globals'
import { deciderSpec } from '#event-store/testing'
import { refuse, type Decider } from '#kernel'

describe('deciderSpec', () => {
  type Event = { readonly type: 'On' } | { readonly type: 'Off' }
  const lamp: Decider<'on' | 'break', boolean, Event> = {
    initialState: false,
    decide: (command, on) => (command === 'break' ? refuse('no', 'Not here.') : on ? [] : [{ type: 'On' }]),
    evolve: (_, event) => event.type === 'On',
  }
  const spec = deciderSpec(lamp)

  it('says given, when, then', () => {
    spec.given().when('on').then({ type: 'On' })
    spec.given({ type: 'On' }).when('on').then()
    spec.given({ type: 'On' }, { type: 'Off' }).when('on').thenState(true)
    spec.given().when('break').thenRefused('no', 'rule')
  })

  it('fails when it is not so', () => {
    expect(() => spec.given().when('on').then()).toThrow()
    expect(() => spec.given().when('on').thenRefused('no')).toThrow()
    expect(() => spec.given().when('break').thenState(true)).toThrow()
  })
})
