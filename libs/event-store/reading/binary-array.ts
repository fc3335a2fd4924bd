/**
 * A one-dimensional array in PostgreSQL's binary format (`array_recv`): pg sends a Buffer parameter as it is, marked binary. Beside text
 * format this spares quoting, hex digits and the server's parsing, which for payloads is most of a batch's cost.
 * Layout: dimensions i32, has-null i32, element type oid u32, length i32, lower bound i32, then per element length i32 (-1: null) and bytes.
 */
abstract class BinaryArray {
  #bytes: Buffer
  #at = 20
  #length = 0
  #hasNull = 0

  constructor(
    private readonly elementOid: number,
    expected_bytes: number,
  ) {
    this.#bytes = Buffer.allocUnsafe(20 + expected_bytes)
  }

  /** Room for one more element of `size` bytes; answers where it goes. */
  protected room(size: number): number {
    const needed = this.#at + 4 + size
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, this.#at)
      this.#bytes = larger
    }
    this.#bytes.writeInt32BE(size, this.#at)
    const start = this.#at + 4
    this.#at = needed
    this.#length++
    return start
  }

  protected get bytes(): Buffer {
    return this.#bytes
  }

  pushNull(): void {
    const at = this.room(0)
    this.#bytes.writeInt32BE(-1, at - 4)
    this.#hasNull = 1
  }

  get length(): number {
    return this.#length
  }

  toBuffer(): Buffer {
    const bytes = this.#bytes
    bytes.writeInt32BE(this.#length === 0 ? 0 : 1, 0)
    bytes.writeInt32BE(this.#hasNull, 4)
    bytes.writeUInt32BE(this.elementOid, 8)
    bytes.writeInt32BE(this.#length, 12)
    bytes.writeInt32BE(1, 16)
    return bytes.subarray(0, this.#length === 0 ? 12 : this.#at)
  }
}

export class TextArray extends BinaryArray {
  constructor() {
    super(25, 256)
  }
  push(text: string): void {
    const length = Buffer.byteLength(text)
    const at = this.room(length)
    this.bytes.write(text, at, length)
  }
}

export class ByteaArray extends BinaryArray {
  constructor() {
    super(17, 512)
  }
  push(value: Uint8Array): void {
    const at = this.room(value.length)
    this.bytes.set(value, at)
  }
}

export class IntegerArray extends BinaryArray {
  constructor() {
    super(23, 96)
  }
  push(value: number): void {
    const at = this.room(4)
    this.bytes.writeInt32BE(value, at)
  }
}

export class BigintArray extends BinaryArray {
  constructor() {
    super(20, 128)
  }
  push(value: number): void {
    const at = this.room(8)
    this.bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
    this.bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4)
  }
}

export class BooleanArray extends BinaryArray {
  constructor() {
    super(16, 64)
  }
  push(value: boolean): void {
    const at = this.room(1)
    this.bytes.writeUInt8(value ? 1 : 0, at)
  }
}

export const textArray = (values: Iterable<string>): Buffer => {
  const array = new TextArray()
  for (const value of values) array.push(value)
  return array.toBuffer()
}
export const byteaArray = (values: Iterable<Uint8Array>): Buffer => {
  const array = new ByteaArray()
  for (const value of values) array.push(value)
  return array.toBuffer()
}
export const int8Array = (values: Iterable<number>): Buffer => {
  const array = new BigintArray()
  for (const value of values) array.push(value)
  return array.toBuffer()
}
export const int4Array = (values: Iterable<number>): Buffer => {
  const array = new IntegerArray()
  for (const value of values) array.push(value)
  return array.toBuffer()
}
