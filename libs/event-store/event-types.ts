import type { JsonObject } from '#kernel'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/** Makes the data of one version into that of the next. Pure, and kept for good: events of the older version stay as they were written. */
export type Upcast = (data: JsonObject) => JsonObject

/** A kind of event as it is written today, and how each older version of it is read. */
export interface EventType {
  readonly type: string
  /** JSON Schema of today's version. */
  readonly schema: TSchema
  /** From version 1 to 2, from 2 to 3, and so on: today's version is one more than there are. */
  readonly upcasts: readonly Upcast[]
}

/** `upcasts` come with every change of the schema: what was written before is read through them, and today's version counts them. */
export const eventType = (type: string, schema: TSchema, ...upcasts: readonly Upcast[]): EventType => ({ type, schema, upcasts })

export const versionOf = ({ upcasts }: EventType): number => upcasts.length + 1

/** An event that this process cannot read: of a type that it does not know, or of a version newer than its own. */
export class UnknownEvent extends Error {}

type Check = (data: unknown) => readonly string[]

/** The event types of a category, by name. */
export class EventTypes {
  readonly #types = new Map<string, EventType>()
  readonly #checks = new Map<string, Check>()

  /** `source`: `import.meta.url` of the module that has the upcasts, which with those it imports tells when they change. Needed beside snapshots. */
  constructor(
    types: readonly EventType[],
    readonly source?: string,
  ) {
    for (const each of types) {
      if (this.#types.has(each.type)) throw new Error(`the event type ${each.type} is there twice`)
      this.#types.set(each.type, each)
    }
  }

  get all(): readonly EventType[] {
    return [...this.#types.values()]
  }

  /** Today's version, for data that is to be written. Throws `TypeError` where it is not what the schema says; the message names paths, never values. */
  checked(type: string, data: JsonObject): number {
    const known = this.#known(type)
    const faults = this.#checkOf(known)(data)
    if (faults.length > 0) throw new TypeError(`${type} v${versionOf(known)} is not as registered: ${faults.join('; ')}`)
    return versionOf(known)
  }

  /** Stored data as today's version has it. Throws `UnknownEvent`. */
  upcast(type: string, version: number, data: JsonObject): JsonObject {
    const known = this.#known(type)
    const newest = versionOf(known)
    if (version === newest) return data
    if (version > newest || version < 1) throw new UnknownEvent(`${type} v${version} is not known here: the newest is v${newest}`)
    return known.upcasts.slice(version - 1).reduce((older, upcast) => upcast(older), data)
  }

  #known(type: string): EventType {
    const known = this.#types.get(type)
    if (!known) throw new UnknownEvent(`the event type ${type} is not registered`)
    return known
  }

  /** Compiled when it is first needed. */
  #checkOf({ type, schema }: EventType): Check {
    const compiled = this.#checks.get(type)
    if (compiled) return compiled
    const validator = Compile(schema)
    const check: Check = (data) =>
      validator.Check(data) ? [] : validator.Errors(data).map(({ instancePath, keyword }) => `${instancePath || '/'} (${keyword})`)
    this.#checks.set(type, check)
    return check
  }
}
