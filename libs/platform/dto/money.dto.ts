import { MAX_PAISE, paise, type MoneyJson, type Paise } from '#kernel'
import { applyDecorators } from '@nestjs/common'
import { field, Nested, OneOf, rule, type FieldOptions } from './fields.js'

const isAmount = (least: bigint) => (value: unknown) =>
  typeof value === 'string' && /^(0|[1-9][0-9]{0,15})$/.test(value) && BigInt(value) >= least && BigInt(value) <= MAX_PAISE

const Amount = (least: bigint): PropertyDecorator =>
  field(
    { example: '149900', description: 'Whole paise, as a string.' },
    { type: 'string', pattern: least > 0n ? '^[1-9][0-9]{0,15}$' : '^(0|[1-9][0-9]{0,15})$', maxLength: 16 },
    rule('amount', `must be a string of digits: whole paise from ${least} to ${MAX_PAISE}`, isAmount(least)),
  )

/** Money on the wire: paise as a string, zero or more. */
export class MoneyDto implements MoneyJson {
  @Amount(0n)
  readonly amount!: string

  @OneOf(['INR'])
  readonly currency!: 'INR'
}

/** More than zero. */
export class PositiveMoneyDto implements MoneyJson {
  @Amount(1n)
  readonly amount!: string

  @OneOf(['INR'])
  readonly currency!: 'INR'
}

/** `@IsMoney({ positive: true }) amount!: MoneyDto` */
export const IsMoney = (options: FieldOptions & { readonly positive?: boolean } = {}): PropertyDecorator =>
  applyDecorators(Nested(() => (options.positive ? PositiveMoneyDto : MoneyDto), options))

/** Of a DTO that was validated. */
export const paiseOf = (money: MoneyJson): Paise => paise(money.amount)
