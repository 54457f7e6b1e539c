/**
 * The canonical encoding (PROTOCOL.md §1): positional, no maps, no floats, minimal varints. Whatever is hashed or signed is written
 * by a `Writer` following a fixed schema, and read back by a `Reader` that accepts exactly the bytes a Writer would have made.
 *
 * Neither class knows a schema: pairs `writeX(writer, x)` / `readX(reader)` live beside the structure they encode. There is no
 * recursion here, so input cannot choose a depth. Values of SQL are in value.ts, ordered keys in tuple.ts.
 */
import { SealError } from '../errors.js'
import { MAX_COUNT, MAX_ENCODING_LENGTH } from '../limits.js'
import { decodeUtf8, EMPTY_BYTES, encodeUtf8 } from './bytes.js'

export const INT64_MIN = -(2n ** 63n)
export const INT64_MAX = 2n ** 63n - 1n

/** Strings up to this many UTF-16 units are written as ASCII by hand: below it the call into TextEncoder costs more. */
export const SHORT_TEXT = 48
const SHORT_READ = 8 // the same of reading: a text put together piece by piece makes as many texts on the way
/** Up to this many units, any text has less than 2¹⁴ bytes: a length of two. Longer ones are worth an array. */
const IN_PLACE_TEXT = 4_096
const encoder = new TextEncoder()
/** |v| below this has a zigzag value of at most 48 bits, which plain numbers hold. */
const SMALL_INT = 2n ** 47n
const SMALL_NUMBER = 2 ** 47

/**
 * Appends to a buffer that grows. `finish` copies, so one Writer may be reset and reused on a hot path.
 *
 * Errors: `bad-value` for what has no encoding, `too-large` beyond MAX_ENCODING_LENGTH. After an error the content is undefined.
 *
 * @example
 * const bytes = new Writer().varint(7).text('cat').optional(undefined, (w, id: Uint8Array) => w.fixed(id, 32)).finish()
 */
export class Writer {
  private buffer: Uint8Array
  private offset = 0

  constructor(room: number | Uint8Array = 128) {
    this.buffer = typeof room === 'number' ? new Uint8Array(room) : room
  }

  /** Bytes written so far. */
  get length(): number {
    return this.offset
  }

  u8(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 255) throw outOfRange('an unsigned 8-bit integer', value)
    this.reserve(1)
    this.buffer[this.offset++] = value
    return this
  }
  bool(value: boolean): this {
    return this.u8(value ? 1 : 0)
  }

  /** A count, index or size: 0 … 2⁴⁸ − 1, seven bits a byte, low bits first, fewest bytes. */
  varint(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > MAX_COUNT) throw outOfRange('an integer in [0, 2^48)', value)
    this.reserve(7)
    let rest = value // bit operators see 32 bits only, so what is above goes by division
    while (rest > 0x7fffffff) {
      this.buffer[this.offset++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 127) {
      this.buffer[this.offset++] = (rest & 127) | 0x80
      rest >>>= 7
    }
    this.buffer[this.offset++] = rest
    return this
  }

  /** A signed 64-bit integer: zigzag (0, −1, 1, −2, …), then as a varint of up to ten bytes. */
  int64(value: bigint): this {
    if (typeof value !== 'bigint' || value < INT64_MIN || value > INT64_MAX) throw outOfRange('a signed 64-bit integer (bigint)', value)
    if (value > -SMALL_INT && value < SMALL_INT) return this.integer(Number(value))
    this.reserve(10)
    let rest = value >= 0n ? 2n * value : -2n * value - 1n
    while (rest > 127n) {
      this.buffer[this.offset++] = Number(rest & 127n) | 0x80
      rest >>= 7n
    }
    this.buffer[this.offset++] = Number(rest)
    return this
  }

  /** `int64` of a safe integer. */
  integer(value: number): this {
    return value > -SMALL_NUMBER && value < SMALL_NUMBER ? this.varint(value >= 0 ? 2 * value : -2 * value - 1) : this.int64(BigInt(value))
  }

  /** Bytes without a length; the schema says how many. */
  fixed(value: Uint8Array, length: number): this {
    if (value.length !== length) throw new SealError('bad-value', `Expected ${length} bytes, got ${value.length}.`, { expected: length, found: value.length })
    return this.raw(value)
  }

  /** Bytes as they are, with no length: for a part that is already canonical and delimits itself. */
  raw(value: Uint8Array, start = 0, end = value.length): this {
    const length = end - start
    this.reserve(length)
    // A view costs more than a few bytes.
    if (length <= SHORT_TEXT) for (let i = 0; i < length; i++) this.buffer[this.offset + i] = value[start + i] as number
    else this.buffer.set(length === value.length ? value : value.subarray(start, end), this.offset)
    this.offset += length
    return this
  }

  /** Length, then bytes: all, or those from `start` to `end`. */
  bytes(value: Uint8Array, max: number = MAX_ENCODING_LENGTH, start = 0, end = value.length): this {
    if (end - start > max) throw tooLarge('bytes', end - start, max, this.offset)
    return this.varint(end - start).raw(value, start, end)
  }

  /** Length in bytes, then UTF-8. An unpaired surrogate is `bad-value`. `max` counts bytes. */
  text(value: string, max: number = MAX_ENCODING_LENGTH): this {
    // UTF-8 is never shorter than UTF-16 counts units, so this is met before anything is allocated.
    if (value.length > max) throw tooLarge('text', value.length, max, this.offset)
    if (value.length <= SHORT_TEXT && this.shortAscii(value)) return this
    if (value.length <= IN_PLACE_TEXT && this.textInPlace(value, max)) return this
    return this.bytes(encodeUtf8(value), max)
  }

  /** 0, or 1 and the value. */
  optional<T>(value: T | undefined | null, write: (writer: this, value: T) => void): this {
    if (value === undefined || value === null) return this.u8(0)
    write(this.u8(1), value)
    return this
  }

  /** Count, then items, each of which must write at least one byte. */
  list<T>(items: readonly T[], max: number, write: (writer: this, item: T) => void): this {
    if (items.length > max) throw tooLarge('a list', items.length, max, this.offset)
    this.varint(items.length)
    for (const item of items) write(this, item)
    return this
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.offset)
  }

  /** What was written, or a part of it, without copying: valid until the next call that writes or resets. For hashing. */
  view(start = 0, end = this.offset): Uint8Array {
    return this.buffer.subarray(start, end)
  }

  /** Forget what was written, keep the buffer. */
  reset(): this {
    this.offset = 0
    return this
  }

  private shortAscii(value: string): boolean {
    this.reserve(value.length + 1)
    const start = this.offset + 1
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > 127) return false
      this.buffer[start + i] = unit
    }
    this.buffer[this.offset] = value.length
    this.offset = start + value.length
    return true
  }

  /** Encoded where it is to lie, if its length takes as many bytes as that of ASCII would: without an array of its own. */
  private textInPlace(value: string, max: number): boolean {
    if (!value.isWellFormed()) return false
    // With what `varint` reserves: were the buffer to grow there, the text beyond its end would be left behind.
    this.reserve(8 + 3 * value.length)
    const lengthBytes = value.length < 128 ? 1 : 2
    const { written } = encoder.encodeInto(value, this.buffer.subarray(this.offset + lengthBytes))
    if (written > max || (written < 128 ? 1 : 2) !== lengthBytes) return false
    this.varint(written)
    this.offset += written
    return true
  }

  private reserve(count: number): void {
    const needed = this.offset + count
    if (needed <= this.buffer.length) return
    if (needed > MAX_ENCODING_LENGTH) throw tooLarge('an encoding', needed, MAX_ENCODING_LENGTH, this.offset)
    const grown = new Uint8Array(Math.min(MAX_ENCODING_LENGTH, Math.max(needed, 2 * this.buffer.length)))
    grown.set(this.buffer.subarray(0, this.offset))
    this.buffer = grown
  }
}

/**
 * Reads one canonical encoding from `[start, end)` of `input`, strictly. Every length is compared with the caller's maximum
 * (`too-large`) and with what remains (`bad-encoding`) before anything is allocated. Call `end` last: leftovers are refused.
 *
 * `bytes` and `fixed` return **views** into the input: free, and alive as long as it is. Copy (`copyBytes`, or `.slice()`) what outlives it.
 */
export class Reader {
  private readonly input: Uint8Array
  private readonly limit: number
  private cursor: number

  constructor(input: Uint8Array, start = 0, end: number = input.length) {
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= input.length)) {
      throw new SealError('bad-argument', 'Expected 0 ≤ start ≤ end ≤ length.', { start, end, length: input.length })
    }
    this.input = input
    this.cursor = start
    this.limit = end
  }

  /** Where the next byte will be read, in the whole input. */
  get offset(): number {
    return this.cursor
  }

  get remaining(): number {
    return this.limit - this.cursor
  }

  u8(): number {
    if (this.cursor >= this.limit) throw this.truncated(1)
    return this.input[this.cursor++] as number
  }

  bool(): boolean {
    const found = this.u8()
    if (found > 1) throw this.bad('Expected a boolean, 0 or 1', { found })
    return found === 1
  }

  /** A minimal varint, at most `max`. */
  varint(max: number = MAX_COUNT): number {
    const first = this.u8()
    const value = first < 128 ? first : this.longVarint(first)
    if (value > max) throw tooLarge('an integer', value, max, this.cursor)
    return value
  }

  int64(): bigint {
    let byte = this.u8()
    let low = byte & 127
    let scale = 128
    let count = 1
    while (byte > 127 && count < 7) {
      byte = this.u8()
      low += (byte & 127) * scale
      scale *= 128
      count += 1
    }
    if (byte <= 127) {
      if (byte === 0 && count > 1) throw this.bad('Expected the shortest form of an integer')
      // 49 bits at most: exact as a number.
      return BigInt(low % 2 === 0 ? low / 2 : -(low + 1) / 2)
    }
    let value = BigInt(low)
    let shift = 49n
    while (byte > 127) {
      if (count === 10) throw this.bad('Expected an integer of at most 64 bits')
      byte = this.u8()
      value |= BigInt(byte & 127) << shift
      shift += 7n
      count += 1
    }
    if (byte === 0) throw this.bad('Expected the shortest form of an integer')
    if (value > 0xffffffffffffffffn) throw this.bad('Expected an integer of at most 64 bits')
    return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n
  }

  /** A view of the next `length` bytes. */
  fixed(length: number): Uint8Array {
    if (length > this.limit - this.cursor) throw this.truncated(length)
    const start = this.cursor
    this.cursor += length
    return this.input.subarray(start, this.cursor)
  }

  /** Passes over the next `length` bytes; returns where in the input they begin, for who reads them in place. */
  skip(length: number): number {
    if (length > this.limit - this.cursor) throw this.truncated(length)
    this.cursor += length
    return this.cursor - length
  }

  /** A view of length-prefixed bytes, at most `max` of them. */
  bytes(max: number): Uint8Array {
    return this.fixed(this.varint(max))
  }

  /** A copy of length-prefixed bytes. */
  copyBytes(max: number): Uint8Array {
    const view = this.bytes(max)
    return view.length === 0 ? EMPTY_BYTES : view.slice()
  }

  /** Length-prefixed strict UTF-8 of at most `max` bytes. */
  text(max: number): string {
    const length = this.varint(max)
    if (length > this.limit - this.cursor) throw this.truncated(length)
    const ascii = length <= SHORT_READ ? this.shortAscii(length) : undefined
    if (ascii !== undefined) return ascii
    try {
      return decodeUtf8(this.fixed(length))
    } catch (cause) {
      throw new SealError('bad-encoding', `Expected valid UTF-8, before offset ${this.cursor}.`, { offset: this.cursor, length }, { cause })
    }
  }

  optional<T>(read: (reader: this) => T): T | undefined {
    return this.bool() ? read(this) : undefined
  }

  /** How many items of a list follow, as `list` checks it. */
  count(max: number, minLength = 1): number {
    const count = this.varint(max)
    if (count * minLength > this.limit - this.cursor) throw this.truncated(count * minLength)
    return count
  }

  /** At most `max` items of at least `minLength` bytes each; the count is compared with what remains before the array is made. */
  list<T>(max: number, read: (reader: this) => T, minLength = 1): T[] {
    const items: T[] = []
    for (let left = this.count(max, minLength); left > 0; left--) items.push(read(this))
    return items
  }

  /** Refuse leftovers. */
  end(): void {
    if (this.cursor !== this.limit) throw this.bad('Expected the end', { remaining: this.limit - this.cursor })
  }

  /** `bad-encoding` at the present offset: for schema checks of the structure being read. */
  bad(message: string, facts: Readonly<Record<string, string | number>> = {}): SealError {
    return new SealError('bad-encoding', `${message}, at offset ${this.cursor}.`, { offset: this.cursor, ...facts })
  }

  private longVarint(first: number): number {
    let value = first & 127
    let scale = 128
    for (let count = 1; count < 7; count++) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) {
        if (byte === 0) throw this.bad('Expected the shortest form of an integer')
        // Seven bytes hold 49 bits.
        if (value > MAX_COUNT) throw this.bad('Expected an integer below 2^48')
        return value
      }
      scale *= 128
    }
    throw this.bad('Expected an integer below 2^48')
  }

  private shortAscii(length: number): string | undefined {
    const { input, cursor } = this
    for (let i = 0; i < length; i++) if ((input[cursor + i] as number) > 127) return undefined
    let text = ''
    for (let i = 0; i < length; i++) text += String.fromCharCode(input[cursor + i] as number)
    this.cursor = cursor + length
    return text
  }

  private truncated(needed: number): SealError {
    const { offset, remaining } = this
    return new SealError('bad-encoding', `Expected ${needed} more bytes, found ${remaining}, at offset ${offset}.`, { offset, needed, remaining })
  }
}

/** The last writer, to be used again: a fresh buffer costs more than most of what is written. */
let idle: Writer | undefined
const MAX_IDLE = 4_096

/** Write one structure. */
export function encodeCanonical<T>(value: T, write: (writer: Writer, value: T) => void): Uint8Array {
  // One within another gets a writer of its own.
  const writer = idle ?? new Writer()
  idle = undefined
  try {
    write(writer.reset(), value)
    return writer.finish()
  } finally {
    idle = writer.length <= MAX_IDLE ? writer : new Writer()
  }
}

/** Read one structure that fills `input` exactly. */
export function decodeCanonical<T>(input: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(input)
  const value = read(reader)
  reader.end()
  return value
}

function tooLarge(what: string, found: number, max: number, offset: number): SealError {
  return new SealError('too-large', `Expected ${what} of at most ${max}, got ${found}.`, { offset, found, max })
}

function outOfRange(expected: string, value: unknown): SealError {
  const shown = typeof value === 'number' || typeof value === 'bigint' ? value : typeof value
  return new SealError('bad-value', `Expected ${expected}, got ${shown}.`, { found: shown })
}
