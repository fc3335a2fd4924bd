/** A line as OTLP carries it: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto. */
export interface LogRecord {
  readonly body: unknown
  /** Nanoseconds since 1970, of the line itself. */
  readonly time_ns: bigint
  readonly severity: string
  /** 1 to 24, 0 where it is not known. */
  readonly severityNumber: number
  /** In hex digits; empty where there is none. */
  readonly traceId: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** Of the pod that the line is of. */
  readonly resource: Readonly<Record<string, unknown>>
}

type Field = { readonly number: number; readonly value: bigint | Buffer }

const LENGTHS: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

const varint = (bytes: Buffer, from: number): readonly [bigint, number] => {
  let value = 0n
  for (let at = from, shift = 0n; at < bytes.length; at++, shift += 7n) {
    const byte = bytes[at] ?? 0
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return [value, at + 1]
  }
  throw new Error('a number of protobuf does not end')
}

/** The fields of a message, in order: numbers, or the bytes of what has a length. https://protobuf.dev/programming-guides/encoding/ */
const fields = (message: Buffer): readonly Field[] => {
  const found: Field[] = []
  for (let at = 0; at < message.length;) {
    const [tag, after] = varint(message, at)
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)]
    if (wire === 0) {
      const [value, end] = varint(message, after)
      found.push({ number, value })
      at = end
      continue
    }
    const [length, start] = wire === 2 ? varint(message, after) : [BigInt(LENGTHS[wire] ?? NaN), after]
    at = start + Number(length)
    if (at > message.length) throw new Error('a message of protobuf is cut short')
    found.push({ number, value: message.subarray(start, at) })
  }
  return found
}

const all = (message: Buffer, number: number): readonly Buffer[] =>
  fields(message).flatMap((field) => (field.number === number && Buffer.isBuffer(field.value) ? [field.value] : []))

const anyValue = (message: Buffer): unknown => {
  const [field] = fields(message)
  if (!field) return undefined
  const { number, value } = field
  if (!Buffer.isBuffer(value)) return number === 2 ? value === 1n : Number(BigInt.asIntN(64, value))
  if (number === 1) return value.toString('utf8')
  if (number === 4) return value.readDoubleLE()
  if (number === 5) return all(value, 1).map(anyValue)
  return number === 6 ? keyValues(all(value, 1)) : value
}

const keyValues = (pairs: readonly Buffer[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(pairs.map((pair) => [all(pair, 1)[0]?.toString('utf8') ?? '', anyValue(all(pair, 2)[0] ?? Buffer.alloc(0))]))

const logRecord = (message: Buffer, resource: LogRecord['resource']): LogRecord => {
  const by = new Map(fields(message).map(({ number, value }) => [number, value]))
  const bytes = (number: number): Buffer => {
    const value = by.get(number)
    return Buffer.isBuffer(value) ? value : Buffer.alloc(0)
  }
  return {
    body: anyValue(bytes(5)),
    time_ns: bytes(1).length === 8 ? bytes(1).readBigUInt64LE() : 0n,
    severity: bytes(3).toString('utf8'),
    severityNumber: Number(by.get(2) ?? 0n),
    traceId: bytes(9).toString('hex'),
    attributes: keyValues(all(message, 6)),
    resource,
  }
}

/** The lines of an ExportLogsServiceRequest. Throws where it is none. */
export const logRecords = (request: Buffer): readonly LogRecord[] =>
  all(request, 1).flatMap((resourceLogs) => {
    const resource = keyValues(all(resourceLogs, 1).flatMap((each) => all(each, 1)))
    return all(resourceLogs, 2).flatMap((scopeLogs) => all(scopeLogs, 2).map((record) => logRecord(record, resource)))
  })
