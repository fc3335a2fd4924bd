import { describe, expect, it } from '@jest/globals'
import { MAX_PAISE } from '#kernel'
import { IndianPhone, Instant, IsMoney, MoneyDto, OneOf, Pincode, Text, TextMap, Uuid, Variant, Vpa } from '../index.js'
import { DtoPipe } from './dto-pipe.js'

class WalletDto {
  @OneOf(['wallet'])
  readonly method!: 'wallet'

  @Uuid()
  readonly walletId!: string
}
class CodDto {
  @OneOf(['cod'])
  readonly method!: 'cod'
}
class FormsDto {
  @Pincode({ optional: true })
  readonly pincode?: string

  @IndianPhone({ optional: true })
  readonly phone?: string

  @Vpa({ optional: true })
  readonly vpa?: string

  @Uuid({ optional: true })
  readonly uuid?: string

  @Instant({ optional: true })
  readonly at?: string

  @IsMoney({ optional: true })
  readonly money?: MoneyDto

  @TextMap({ optional: true, maxEntries: 2, maxLength: 5 })
  readonly attributes?: Record<string, string>

  @Text({ optional: true, max: 3 })
  readonly short?: string

  @Variant('method', { wallet: WalletDto, cod: CodDto }, { optional: true })
  readonly payment?: WalletDto | CodDto
}

const pipe = new DtoPipe()
const errorsOf = async (value: object): Promise<readonly string[]> => {
  try {
    await pipe.transform(value, { type: 'body', metatype: FormsDto })
    return []
  } catch (error) {
    return (error as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)
  }
}
const money = (amount: unknown) => ({ amount, currency: 'INR' })
const uuid = '0190a1b2-0000-7000-8000-00000000beef'

describe('formats', () => {
  it.each<[keyof FormsDto, unknown[], unknown[]]>([
    ['pincode', ['560001', '110001'], ['056001', '56001', '5600011', '56000a', 560001, '५६०००१', '560001\n', ' 560001']],
    ['phone', ['+919876543210'], ['9876543210', '+915876543210', '+91987654321', '+9198765432100', '+449876543210']],
    ['vpa', ['success@upi', 'a.b-c_d@okaxis'], ['a@upi', 'success', 'success@', '@upi', 'a b@upi', 'ab@1upi', 'ab@u']],
    ['uuid', [uuid], [uuid.toUpperCase(), uuid.replaceAll('-', ''), `${uuid}0`, `{${uuid}}`]],
    [
      'at',
      ['2026-11-01T00:00:00Z', '2026-11-01T05:30:00.123+05:30', '2028-02-29T00:00:00Z'],
      ['2026-02-30T00:00:00Z', '2026-11-01', '2026-13-01T00:00:00Z', '2026-11-01T25:00:00Z', '2026-11-01T00:00:00', 1, 'now'],
    ],
    ['short', ['a', 'abc', '😀😀😀'], ['', ' ', 'abcd', '😀😀😀😀']],
    ['attributes', [{}, { a: 'b', c: 'd' }], [{ a: 1 }, { a: '' }, { a: 'toolong' }, { a: 'b', c: 'd', e: 'f' }, [], 'x', null]],
    ['money', [money('0'), money('149900'), money(String(MAX_PAISE))], ['1', 5, null, []]],
  ])('%s', async (name, right, wrong) => {
    for (const value of right) expect([value, await errorsOf({ [name]: value })]).toEqual([value, []])
    for (const value of wrong) expect([value, await errorsOf({ [name]: value })]).toEqual([value, [`/${name}`]])
  })

  it('money names its part', async () => {
    for (const amount of ['-1', '01', '1.0', '1e3', ' 1', '', 1, 1.5, null, String(MAX_PAISE + 1n), '0x10', '१'])
      expect([amount, await errorsOf({ money: money(amount) })]).toEqual([amount, ['/money/amount']])
    expect(await errorsOf({ money: { amount: '1', currency: 'inr' } })).toEqual(['/money/currency'])
  })
})

describe('a variant', () => {
  it('is told apart by its property', async () => {
    const dto = (await pipe.transform({ payment: { method: 'wallet', walletId: uuid } }, { type: 'body', metatype: FormsDto })) as FormsDto
    expect(dto.payment).toBeInstanceOf(WalletDto)
    expect(await errorsOf({ payment: { method: 'cod' } })).toEqual([])
  })

  it.each([
    [{ method: 'barter' }, ['/payment/method']],
    [{}, ['/payment/method']],
    [{ method: null }, ['/payment/method']],
    [{ method: 'wallet' }, ['/payment/walletId']],
    [{ method: 'cod', walletId: uuid }, ['/payment/walletId']],
    [{ method: 'constructor' }, ['/payment/method']],
    ['cod', ['/payment']],
    [[], ['/payment']],
    [null, ['/payment']],
    [[{ method: 'cod' }], ['/payment']],
  ])('%j', async (payment, pointers) => {
    expect(await errorsOf({ payment })).toEqual(pointers)
  })
})
