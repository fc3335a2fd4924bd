import { schemaOf, type MessageContract } from '#contracts'
import type { Clock } from '#kernel'
import avro from 'avsc'
import { LRUCache } from 'lru-cache'
import { AVRO, JSON_TYPE, Undecodable } from '../cloud-events.js'
import { DependencyUnavailable } from '../failure.js'
import type { LogRecord, ValueCodec } from '../log.js'
import { SchemaRegistry, type RegistryOptions } from './registry.js'
import { avroSchemaOf } from './schema.js'

export interface AvroOptions extends RegistryOptions {
  /** Of whose messages schemas are made. */
  readonly contracts: readonly Pick<MessageContract<never>, 'topic' | 'type' | 'version' | 'schema'>[]
}

interface Writer {
  readonly id: number
  readonly type: avro.Type
}

/** A zero byte, then the schema's id in four: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format */
const MAGIC = 0
const PREFIX = 5
/** A replica of the registry may not know yet what another has just taken in. */
const UNKNOWN_FOR_MS = 5_000
const MOST_SCHEMAS = 1_000

/**
 * Values as Avro, each by a schema that the registry keeps. What is no message of a contract, and what its schema does not take whole, goes as JSON as
 * before; what is read tells by its first byte. A schema is asked for once; one that the registry does not know makes what names it unreadable.
 */
export class AvroValues implements ValueCodec {
  readonly #registry: SchemaRegistry
  readonly #contracts: ReadonlyMap<string, AvroOptions['contracts'][number]>
  readonly #writers = new Map<string, Promise<Writer>>()
  readonly #readers = new LRUCache<number, avro.Type>({ max: MOST_SCHEMAS })
  /** Why the values of a schema cannot be read. */
  readonly #unreadable = new LRUCache<number, string>({ max: MOST_SCHEMAS })
  readonly #unknownSince_ms = new LRUCache<number, number>({ max: MOST_SCHEMAS })

  constructor(
    options: AvroOptions,
    private readonly clock: Clock,
  ) {
    this.#registry = new SchemaRegistry(options)
    this.#contracts = new Map(options.contracts.map((contract) => [`${contract.topic} ${contract.type} ${contract.version}`, contract]))
  }

  encode(records: readonly LogRecord[]): Promise<readonly LogRecord[]> {
    return Promise.all(records.map((record) => this.#encode(record)))
  }

  async prepare(records: readonly LogRecord[]): Promise<void> {
    const ids = new Set(records.map(({ value }) => idOf(value)))
    for (const id of ids) if (id !== undefined && !this.#readers.has(id)) await this.#find(id)
  }

  decode<R extends LogRecord>(record: R): R {
    const id = idOf(record.value)
    if (id === undefined) return record
    const type = this.#readers.get(id)
    if (!type) throw new Undecodable(this.#unreadable.get(id) ?? `schema ${id} was not asked for`)
    return { ...record, headers: { ...record.headers, 'content-type': JSON_TYPE }, value: toJson(type, record.value, id) }
  }

  async #encode(record: LogRecord): Promise<LogRecord> {
    const { topic, headers, value } = record
    const contract = this.#contracts.get(`${topic} ${headers['ce_type']} ${headers['schemaversion']}`)
    if (!contract) return record
    const { id, type } = await this.#writer(contract)
    const data: unknown = JSON.parse(decoder.decode(value))
    if (!type.isValid(data, { noUndeclaredFields: true })) return record
    const prefix = Buffer.alloc(PREFIX)
    prefix.writeUInt32BE(id, 1)
    return { ...record, headers: { ...headers, 'content-type': AVRO }, value: Buffer.concat([prefix, type.toBuffer(data)]) }
  }

  #writer(contract: AvroOptions['contracts'][number]): Promise<Writer> {
    const { topic, type, version } = contract
    const name = `${topic} ${type} ${version}`
    let writer = this.#writers.get(name)
    if (!writer) {
      writer = this.#register(contract).catch((error: unknown) => {
        this.#writers.delete(name)
        throw error
      })
      this.#writers.set(name, writer)
    }
    return writer
  }

  /** Under a name of the topic and the record, as `TopicRecordNameStrategy` has it: a topic has messages of several types. */
  async #register({ topic, type, version, schema }: AvroOptions['contracts'][number]): Promise<Writer> {
    const avroSchema = avroSchemaOf(topic, type, version, schemaOf(schema))
    const id = await this.#registry.register(`${topic}-${avroSchema.namespace}.${type}`, avroSchema)
    return { id, type: typeOf(JSON.stringify(avroSchema)) }
  }

  async #find(id: number): Promise<void> {
    const found = await this.#registry.schema(id)
    if (!found) {
      const since_ms = this.#unknownSince_ms.get(id) ?? this.clock.now()
      this.#unknownSince_ms.set(id, since_ms)
      if (this.clock.now() - since_ms < UNKNOWN_FOR_MS)
        throw new DependencyUnavailable(`the schema registry does not know schema ${id} yet`)
      return void this.#unreadable.set(id, `the schema registry does not know schema ${id}`)
    }
    try {
      if ((found.schemaType ?? 'AVRO') !== 'AVRO') throw new Error('of another kind')
      this.#readers.set(id, typeOf(found.schema))
    } catch {
      this.#unreadable.set(id, `schema ${id} is none of Avro's`)
    }
  }
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const typeOf = (schema: string): avro.Type => avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { omitRecordMethods: true })

/** JSON in UTF-8 never begins with a zero. */
const idOf = (value: Uint8Array): number | undefined =>
  value[0] === MAGIC && value.length >= PREFIX ? Buffer.from(value.buffer, value.byteOffset, PREFIX).readUInt32BE(1) : undefined

/** Null is how Avro says that a field is absent. */
const toJson = (type: avro.Type, value: Uint8Array, id: number): Uint8Array => {
  let data: unknown
  try {
    data = type.fromBuffer(Buffer.from(value.buffer, value.byteOffset + PREFIX, value.length - PREFIX))
  } catch {
    // The reader's own message may quote what it read.
    throw new Undecodable(`the value does not fit schema ${id}`)
  }
  return encoder.encode(JSON.stringify(data, (_, each: unknown) => (each === null ? undefined : each)))
}
