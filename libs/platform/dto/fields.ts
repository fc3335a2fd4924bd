import { applyDecorators, type Type as Class } from '@nestjs/common'
import { ApiExtraModels, ApiProperty, getSchemaPath, type ApiPropertyOptions } from '@nestjs/swagger'
import { plainToInstance, Transform, Type } from 'class-transformer'
import { IsDefined, ValidateBy, ValidateIf, ValidateNested } from 'class-validator'

/**
 * Fields of DTOs: one decorator validates, says which rule failed, and describes the field in OpenAPI. A field is required unless
 * `optional`, and `null` is never the same as absent.
 */
export interface FieldOptions {
  readonly optional?: boolean
  readonly description?: string
  readonly example?: unknown
}

type Schema = Record<string, unknown>

export const field = (options: FieldOptions, schema: Schema, ...rules: readonly PropertyDecorator[]): PropertyDecorator =>
  applyDecorators(
    ApiProperty({
      ...schema,
      required: options.optional !== true,
      ...(options.description !== undefined && { description: options.description }),
      ...(options.example !== undefined && { example: options.example }),
    } as ApiPropertyOptions),
    options.optional ? ValidateIf((_, value) => value !== undefined) : IsDefined({ message: 'is required' }),
    ...rules,
  )

/** A rule: `test` must hold, else the field's `detail` is `message`. */
export const rule = (name: string, message: string, test: (value: unknown) => boolean): PropertyDecorator =>
  ValidateBy({ name, validator: { validate: test, defaultMessage: () => message } })

/** Counts code points, as JSON Schema's lengths do, without spreading a huge string. */
const longerThan = (text: string, limit: number): boolean => text.length > limit && (text.length > 2 * limit || [...text].length > limit)

export interface TextOptions extends FieldOptions {
  /** 1 unless given. */
  readonly min?: number
  readonly max: number
  /** Whole-string, as JSON Schema writes it; `rule` says in words what it wants. */
  readonly pattern?: { readonly source: string; readonly rule: string }
  readonly format?: string
}

export const Text = (options: TextOptions): PropertyDecorator => {
  const { min = 1, max, pattern, format } = options
  const expression = pattern && new RegExp(pattern.source, 'u')
  const length = min === max ? `must be ${max} characters` : `must be ${min} to ${max} characters`
  return field(
    options,
    { type: 'string', minLength: min, maxLength: max, ...(pattern && { pattern: pattern.source }), ...(format && { format }) },
    rule('text', 'must be a string', (value) => typeof value === 'string'),
    rule(
      'length',
      length,
      (value) => typeof value === 'string' && !longerThan(value, max) && value.length >= min && value.trim().length >= Math.min(min, 1),
    ),
    ...(expression && pattern
      ? [rule('pattern', pattern.rule, (value) => typeof value === 'string' && value.length <= 2 * max && expression.test(value))]
      : []),
  )
}

export interface WholeOptions extends FieldOptions {
  readonly min: number
  readonly max: number
}

/** An integer, as a JSON number: `"3"` and `3.5` are not. */
export const Whole = (options: WholeOptions): PropertyDecorator =>
  field(
    options,
    { type: 'integer', minimum: options.min, maximum: options.max },
    rule(
      'whole',
      `must be a whole number from ${options.min} to ${options.max}`,
      (value) => inRange(value, options) && Number.isSafeInteger(value),
    ),
  )

/** A whole number in a query string, where everything is text. */
export const QueryWhole = (options: WholeOptions & { readonly default?: number }): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' && /^-?[0-9]{1,16}$/.test(value) ? Number(value) : value)),
    field(
      options,
      { type: 'integer', minimum: options.min, maximum: options.max, ...(options.default !== undefined && { default: options.default }) },
      rule(
        'whole',
        `must be a whole number from ${options.min} to ${options.max}`,
        (value) => inRange(value, options) && Number.isSafeInteger(value),
      ),
    ),
  )

const inRange = (value: unknown, { min, max }: WholeOptions): boolean => typeof value === 'number' && value >= min && value <= max

export const OneOf = (values: readonly (string | number)[], options: FieldOptions = {}): PropertyDecorator =>
  field(
    options,
    { type: typeof values[0] === 'number' ? 'integer' : 'string', enum: [...values] },
    rule('oneOf', `must be one of ${values.join(', ')}`, (value) => values.some((each) => each === value)),
  )

export const Flag = (options: FieldOptions = {}): PropertyDecorator =>
  field(
    options,
    { type: 'boolean' },
    rule('flag', 'must be true or false', (value) => typeof value === 'boolean'),
  )

/** Names to short strings, such as a product's attributes. */
export const TextMap = (options: FieldOptions & { readonly maxEntries: number; readonly maxLength: number }): PropertyDecorator => {
  const fits = (text: unknown) => typeof text === 'string' && text.length > 0 && !longerThan(text, options.maxLength)
  return field(
    options,
    {
      type: 'object',
      additionalProperties: { type: 'string', minLength: 1, maxLength: options.maxLength },
      maxProperties: options.maxEntries,
    },
    rule('textMap', `must be an object of at most ${options.maxEntries} strings of 1 to ${options.maxLength} characters`, (value) => {
      if (!isPlainObject(value)) return false
      const entries = Object.entries(value)
      return entries.length <= options.maxEntries && entries.every((entry) => entry.every(fits))
    }),
  )
}

const isPlainObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Another DTO. (Swagger knows a lazy type by the function's name, `type`.) */
export const Nested = (dto: () => Class, options: FieldOptions = {}): PropertyDecorator =>
  applyDecorators(Type(dto), field(options, { type: () => dto() }, rule('object', 'must be an object', isPlainObject), ValidateNested()))

export interface ListOptions extends FieldOptions {
  readonly min?: number
  readonly max: number
}

/** A list of another DTO. An element that is no object is named: class-validator alone would let `[null]` and `[[]]` through. */
export const ListOf = (dto: () => Class, options: ListOptions): PropertyDecorator => {
  const { min = 0, max } = options
  const size = (value: unknown) => Array.isArray(value) && value.length >= min && value.length <= max
  return applyDecorators(
    Type(dto),
    field(
      options,
      { type: () => dto(), isArray: true, minItems: min, maxItems: max },
      rule('list', 'must be a list', Array.isArray),
      rule('size', `must have ${min} to ${max} elements`, size),
      rule('elements', 'must hold objects only', (value) => Array.isArray(value) && value.slice(0, max).every(isPlainObject)),
      // An oversized list is refused by its size; its elements are not looked at.
      ValidateNested({ each: true }),
    ),
  )
}

/**
 * One of several DTOs, told apart by a property: `Variant('method', { wallet: WalletPaymentDto, cod: CodDto })`. Each of them declares
 * the property with `OneOf([its name])`.
 */
export const Variant = (property: string, kinds: Readonly<Record<string, Class>>, options: FieldOptions = {}): PropertyDecorator => {
  class Unknown {}
  OneOf(Object.keys(kinds))(Unknown.prototype, property)
  const dtos = Object.values(kinds)
  const classOf = (kind: unknown): Class => (typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined) ?? Unknown
  return applyDecorators(
    (target: object) => ApiExtraModels(...dtos)(target.constructor as never),
    // Not class-transformer's own discriminator: it takes a list for several of these, and fails on one that holds null.
    Transform(({ value }: { value: unknown }) =>
      isPlainObject(value) ? plainToInstance(classOf(Reflect.get(value, property)), value, { exposeUnsetFields: false }) : value,
    ),
    field(
      options,
      {
        type: 'object',
        oneOf: dtos.map((dto) => ({ $ref: getSchemaPath(dto) })),
        discriminator: {
          propertyName: property,
          mapping: Object.fromEntries(Object.entries(kinds).map(([name, dto]) => [name, getSchemaPath(dto)])),
        },
      },
      rule('object', 'must be an object', isPlainObject),
      ValidateNested(),
    ),
  )
}
