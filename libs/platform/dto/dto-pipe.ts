import type { ArgumentMetadata, PipeTransform } from '@nestjs/common'
import { plainToInstance } from 'class-transformer'
import { validateSync, type ValidationError } from 'class-validator'
import { invalidInput, pointerTo, unknownField, type FieldError } from '../errors/problem.js'

/** More values than any call takes: what is over is a mistake or an attack, and validating it would cost more than refusing. */
const MAX_VALUES = 5_000
const MAX_ERRORS = 50

const BUILT_IN: ReadonlySet<unknown> = new Set<unknown>([undefined, Object, String, Number, Boolean, Array])

/**
 * Body, query and path into DTOs: unknown fields, wrong fields and text that PostgreSQL cannot hold are a 400 that names each by its RFC 6901
 * pointer. Nest's own pipe is not used because it lets `[]` pass for an object and answers with sentences instead of pointers.
 */
export class DtoPipe implements PipeTransform {
  async transform(value: unknown, { type, metatype }: ArgumentMetadata): Promise<unknown> {
    if (type === 'custom') return value
    const text = unstorable(value)
    if (text) throw invalidInput([text])
    if (metatype === undefined || BUILT_IN.has(metatype)) return value
    const given = value === undefined ? {} : value
    if (typeof given !== 'object' || given === null || Array.isArray(given))
      throw invalidInput([{ pointer: '', detail: 'must be an object' }])
    const dto: object = plainToInstance(metatype as new () => object, given, { exposeUnsetFields: false })
    const errors = validateSync(dto, {
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: false,
      validationError: { target: false, value: false },
    })
    if (errors.length > 0) throw invalidInput(fieldErrors(errors).slice(0, MAX_ERRORS))
    return dto
  }
}

/** One per field, in the order of the rules; of a missing field only that it is missing. */
const fieldErrors = (errors: readonly ValidationError[], parent = ''): FieldError[] =>
  errors.flatMap(({ property, constraints, children }) => {
    const pointer = pointerTo(parent, property)
    if (constraints?.whitelistValidation !== undefined) return [unknownField(parent, property)]
    if (constraints) return [{ pointer, detail: detailOf(constraints) }]
    return children ? fieldErrors(children, pointer) : []
  })

const detailOf = (constraints: Readonly<Record<string, string>>): string => {
  if (constraints.isDefined !== undefined) return constraints.isDefined
  return Object.values(constraints)[0] ?? 'is invalid'
}

/** PostgreSQL's text cannot hold U+0000, and its jsonb no lone surrogate. Also bounds the number of values. */
const unstorable = (root: unknown): FieldError | undefined => {
  const rest: { pointer: string; value: unknown }[] = [{ pointer: '', value: root }]
  let seen = 0
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { pointer, value } = next
    if (++seen > MAX_VALUES) return { pointer: '', detail: `must have at most ${MAX_VALUES} values in all` }
    if (typeof value === 'string' && !storable(value)) return { pointer, detail: 'must be text without NUL and lone surrogates' }
    if (typeof value !== 'object' || value === null) continue
    const entries = Object.entries(value)
    if (entries.length > MAX_VALUES) return { pointer, detail: `must have at most ${MAX_VALUES} values` }
    for (const [name, member] of entries) {
      // class-validator takes these for known, for every object inherits them.
      if (name in Object.prototype) return unknownField(pointer, name)
      if (!storable(name)) return { pointer, detail: 'must have names without NUL and lone surrogates' }
      rest.push({ pointer: pointerTo(pointer, name), value: member })
    }
  }
  return undefined
}

const storable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
