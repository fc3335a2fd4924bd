import { describe, expect, it } from '@jest/globals'
import { Problem } from '../errors/problem.js'
import { DtoPipe } from './dto-pipe.js'
import { OneOf, Text, Variant } from './fields.js'

class Wallet {
  @OneOf(['wallet']) readonly method!: 'wallet'
  @Text({ max: 5 }) readonly walletId!: string
}
class Cod {
  @OneOf(['cod']) readonly method!: 'cod'
}
class Order {
  @Variant('method', { wallet: Wallet, cod: Cod }) readonly payment!: Wallet | Cod
}

const parse = (payment: unknown) => new DtoPipe().transform({ payment }, { type: 'body', metatype: Order })
const pointersOf = (payment: unknown): Promise<readonly string[]> =>
  parse(payment).then(
    () => [],
    (problem: unknown) =>
      problem instanceof Problem ? (problem.errors ?? []).map(({ pointer }) => pointer) : Promise.reject(problem as Error),
  )

describe('Variant', () => {
  it('makes the class that its property names', async () => {
    expect(await parse({ method: 'wallet', walletId: 'w' })).toMatchObject({ payment: expect.any(Wallet) })
    expect(await parse({ method: 'cod' })).toMatchObject({ payment: expect.any(Cod) })
  })

  it.each([
    ['another variant’s field', { method: 'cod', walletId: 'w' }, '/payment/walletId'],
    ['a wrong field', { method: 'wallet', walletId: 'too long' }, '/payment/walletId'],
    ['an unknown name', { method: 'barter' }, '/payment/method'],
    ['a name that every object has', { method: 'constructor' }, '/payment/method'],
    ['no name', {}, '/payment/method'],
    ['a name that is no text', { method: ['cod'] }, '/payment/method'],
    ['null', null, '/payment'],
    ['text', 'cod', '/payment'],
    ['an empty list', [], '/payment'],
    ['a list', [{ method: 'cod' }], '/payment'],
    ['a list of null', [null], '/payment'],
  ])('%s is named', async (_, payment, pointer) => {
    expect(await pointersOf(payment)).toContain(pointer)
  })
})
