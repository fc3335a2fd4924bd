import type { Json, JsonObject, MessageContext, OutgoingMessage } from '#kernel'
import Type, { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/** A message that crosses between apps: its topic, name, version, schema and an example that the schema accepts. */
export interface MessageContract<Data = JsonObject> {
  readonly topic: string
  readonly type: string
  readonly version: number
  readonly schema: TSchema
  readonly example: Data
  /** Throws `ContractViolation` naming each path that is wrong. Unknown fields are let through: a newer minor version may add them. */
  parse(data: unknown): Data
  /** A message of this contract, checked. `id` is given where a repeat must be recognised (commands). */
  message(key: string, data: Data, context: MessageContext, id?: string): OutgoingMessage
}

export class ContractViolation extends Error {
  constructor(
    readonly contract: string,
    readonly violations: readonly string[],
  ) {
    super(`${contract}: ${violations.join('; ')}`)
  }
}

export const defineMessage = <S extends TSchema>(
  topic: string,
  type: string,
  version: number,
  schema: S,
  example: Static<S>,
): MessageContract<Static<S>> => {
  const validator = Compile(schema)
  const parse = (data: unknown): Static<S> => {
    if (validator.Check(data)) return data as Static<S>
    throw new ContractViolation(
      `${type} v${version}`,
      validator.Errors(data).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`),
    )
  }
  return {
    topic,
    type,
    version,
    schema,
    example,
    parse,
    message: (key, data, context, id) => ({
      topic,
      key,
      type,
      schemaVersion: version,
      data: parse(data) as Json as JsonObject,
      context,
      ...(id === undefined ? {} : { id }),
    }),
  }
}

/** Paise as a decimal string, so that no reader's float touches it. */
export const Amount = Type.String({ pattern: '^-?[0-9]{1,18}$' })
export const Id = Type.String({ minLength: 1, maxLength: 128 })
export const Sku = Type.String({ minLength: 1, maxLength: 64 })
/** The version of the aggregate that a message speaks of: what its ETag shows. */
export const Version = Type.Integer({ minimum: 1 })
/** RFC 3339, UTC, milliseconds. */
export const Timestamp = Type.String({ minLength: 20, maxLength: 30 })

/**
 * Personal data under the subject's key (AES-256-GCM). The key is not in it: whoever may read looks it up, and once it is destroyed nobody
 * reads this any more, wherever copies of it are.
 */
export const Sealed = Type.Object({ subject: Id, nonce: Type.String(), ciphertext: Type.String() })
export type Sealed = Static<typeof Sealed>
