/**
 * Order-preserving keys (PROTOCOL.md §2): comparing two encoded tuples as bytes compares their values one after another as SQLite does
 * under BINARY: NULL < numbers < text < blobs, integers and reals by exact value.
 *
 * key = prefix ‖ element* ‖ 0x00. Every element delimits itself, and 0x00 lies below every type code, so within a key space no key
 * begins another, and a shorter tuple sorts before its continuations. Numbers that SQLite calls equal have one encoding (1 = 1.0,
 * −0 = 0), so decoding gives the value, not its storage class. Collation (NOCASE, RTRIM) is folded by the caller beforehand.
 *
 * Number x, with |x| < 2⁶³:  m = 2·⌊|x|⌋ + (x is no integer), in the fewest big-endian bytes, n of them (0 for zero);
 *                             code 0x10 ± n, then m, then if x is no integer |x| as IEEE 754 binary64.
 * Number x, with |x| ≥ 2⁶³:  code 0x10 ± 9, then |x| as binary64 (all such values are exact in it, −2⁶³ included).
 * After the code of a negative number every byte is complemented.
 */
import { SealError } from '../errors.js'
import { MAX_KEY_LENGTH } from '../limits.js'
import { decodeUtf8, EMPTY_BYTES } from './bytes.js'
import { INT64_MAX, INT64_MIN, SHORT_TEXT } from './canonical.js'
import { type SqlValue } from './value.js'

/** First byte of an element. `number` is zero; ±1…8 bytes and ±9 (large) lie around it. */
export const TUPLE_CODE = { close: 0x00, null: 0x05, number: 0x10, text: 0x20, blob: 0x30 } as const
const LARGE = 9
/** Above every type code and below nothing: what follows a complete element sorts under it. */
const ABOVE = 0xff
/** 0x00 ends text and blobs; inside, 0x00 is written 01 01 and 0x01 is written 01 02. */
const ESCAPE = 0x01
const TWO_63 = 2 ** 63

/** Keys k with lo ≤ k < hi as bytes. */
export interface KeyRange {
  readonly lo: Uint8Array
  readonly hi: Uint8Array
}

/** Classes of SQLite's cross-type order, lowest first. */
export type TupleClass = 'null' | 'number' | 'text' | 'blob'

// The key being built. The room beyond MAX_KEY_LENGTH lets an element overflow by a number's length before the check.
const scratch = new Uint8Array(MAX_KEY_LENGTH + 32)
const utf8 = new Uint8Array(MAX_KEY_LENGTH + 8)
const utf8Encoder = new TextEncoder()
const double = new DataView(new ArrayBuffer(8))

/**
 * The key of `values` in the key space of `prefix`. At most 255 bytes, else `key-too-long`. NaN, an integer beyond 64 bits and an
 * unpaired surrogate are `bad-value`.
 *
 * @example
 * encodeTuple([7n, 'cat'], Uint8Array.of(0x40)) // 40 11 0e 20 63 61 74 00 00
 */
export function encodeTuple(values: readonly SqlValue[], prefix: Uint8Array = EMPTY_BYTES): Uint8Array {
  const length = putElements(values, prefix)
  if (length >= MAX_KEY_LENGTH) throw new SealError('key-too-long', `Expected a key of at most ${MAX_KEY_LENGTH} bytes.`, { max: MAX_KEY_LENGTH })
  scratch[length] = TUPLE_CODE.close
  return scratch.slice(0, length + 1)
}

/**
 * The bytes that exactly those keys begin with whose first values are `values`: a key without its close. `key-too-long` where no key
 * could begin so.
 */
export function encodeTuplePrefix(values: readonly SqlValue[], prefix: Uint8Array = EMPTY_BYTES): Uint8Array {
  const length = putElements(values, prefix)
  if (length >= MAX_KEY_LENGTH) throw new SealError('key-too-long', `Expected fewer than ${MAX_KEY_LENGTH} bytes.`, { max: MAX_KEY_LENGTH })
  return scratch.slice(0, length)
}

/**
 * `[lo, hi)` of all keys whose first values are `values` (all keys of the space, for none). Bounds compose: `col > v` starts at
 * `tupleRange([v]).hi`, `col >= v` at its `lo`. Never `key-too-long`: values no key can hold give a cut bound, correct as a bound
 * since what lies between it and the exact one is empty or a single key beside it (a superset).
 */
export function tupleRange(values: readonly SqlValue[], prefix: Uint8Array = EMPTY_BYTES): KeyRange {
  const length = Math.min(putElements(values, prefix), MAX_KEY_LENGTH - 1)
  scratch[length] = ABOVE
  return { lo: scratch.slice(0, length), hi: scratch.slice(0, length + 1) }
}

/** `[lo, hi)` of all keys that begin with `values` and continue with a value of `type`: for `col < 5` take `lo` of 'number'. */
export function tupleClassRange(type: TupleClass, values: readonly SqlValue[] = [], prefix: Uint8Array = EMPTY_BYTES): KeyRange {
  const length = Math.min(putElements(values, prefix), MAX_KEY_LENGTH - 1)
  const [first, last] = CLASS_CODES[type]
  scratch[length] = first
  const lo = scratch.slice(0, length + 1)
  scratch[length] = last + 1
  return { lo, hi: scratch.slice(0, length + 1) }
}

/** The least byte string above everything that begins with `bytes`, or null if there is none (empty, or all 0xff). */
export function prefixSuccessor(bytes: Uint8Array): Uint8Array | null {
  let length = bytes.length
  while (length > 0 && bytes[length - 1] === 0xff) length -= 1
  if (length === 0) return null
  const out = bytes.slice(0, length)
  out[length - 1] = (out[length - 1] as number) + 1
  return out
}

/**
 * The values of a key, after `prefixLength` bytes of prefix. Accepts exactly what `encodeTuple` makes (`bad-encoding`, `too-large`). Integral numbers
 * within 64 bits come back as bigint, all others as number.
 */
export function decodeTuple(key: Uint8Array, prefixLength = 0): SqlValue[] {
  if (key.length > MAX_KEY_LENGTH) {
    throw new SealError('too-large', `Expected a key of at most ${MAX_KEY_LENGTH} bytes, got ${key.length}.`, { found: key.length, max: MAX_KEY_LENGTH })
  }
  const cursor: Cursor = { key, at: prefixLength }
  const values: SqlValue[] = []
  for (let code = next(cursor); code !== TUPLE_CODE.close; code = next(cursor)) values.push(takeElement(cursor, code))
  if (cursor.at !== key.length) throw bad(cursor, 'Expected the end of the key')
  return values
}

const CLASS_CODES: Readonly<Record<TupleClass, readonly [first: number, last: number]>> = {
  null: [TUPLE_CODE.null, TUPLE_CODE.null],
  number: [TUPLE_CODE.number - LARGE, TUPLE_CODE.number + LARGE],
  text: [TUPLE_CODE.text, TUPLE_CODE.text],
  blob: [TUPLE_CODE.blob, TUPLE_CODE.blob],
}

// Encoding, into `scratch`. Each returns the new length; one of MAX_KEY_LENGTH or more says it does not fit, with the bytes up to
// MAX_KEY_LENGTH − 1 right (tupleRange relies on that).

function putElements(values: readonly SqlValue[], prefix: Uint8Array): number {
  if (prefix.length >= MAX_KEY_LENGTH) throw new SealError('key-too-long', `Expected a prefix under ${MAX_KEY_LENGTH} bytes.`, { found: prefix.length })
  scratch.set(prefix)
  let length = prefix.length
  // All values are looked at even after the key is full: whether a value is bad must not depend on those before it.
  for (const value of values) length = putElement(Math.min(length, MAX_KEY_LENGTH), value)
  return length
}

function putElement(at: number, value: SqlValue): number {
  if (value === null) {
    scratch[at] = TUPLE_CODE.null
    return at + 1
  }
  if (typeof value === 'bigint') return putInteger(at, value)
  if (typeof value === 'number') return putReal(at, value)
  if (typeof value === 'string') return putText(at, value)
  if (value instanceof Uint8Array) return putEscaped(at, TUPLE_CODE.blob, value, value.length)
  throw new SealError('bad-value', 'Expected null, bigint, number, string or Uint8Array.', { found: typeof value })
}

function putInteger(at: number, value: bigint): number {
  if (value < INT64_MIN || value > INT64_MAX) throw new SealError('bad-value', 'Expected an integer of at most 64 bits.', { found: value })
  if (value === INT64_MIN) return putLarge(at, TWO_63, true)
  if (value >= -0x3fffffffn && value <= 0x3fffffffn) return putSmall(at, Number(value))
  return putWide(at, value < 0n ? -value : value, value < 0n)
}

function putReal(at: number, value: number): number {
  if (Number.isNaN(value)) throw new SealError('bad-value', 'Expected a number, got NaN.')
  if (Number.isInteger(value) && Math.abs(value) <= 0x3fffffff) return putSmall(at, value)
  const magnitude = Math.abs(value)
  const negative = value < 0
  if (magnitude >= TWO_63) return putLarge(at, magnitude, negative)
  if (Number.isInteger(value)) return putWide(at, BigInt(magnitude), negative)
  const whole = Math.floor(magnitude)
  const afterWhole = whole <= 0x3fffffff ? putMagnitude(at, 2 * whole + 1, negative) : putWideMagnitude(at, 2n * BigInt(whole) + 1n, negative)
  return putDouble(afterWhole, magnitude, negative)
}

/** An integer whose doubled magnitude fits 31 bits: no bigint on the hot path of row ids. */
function putSmall(at: number, value: number): number {
  if (value !== 0) return putMagnitude(at, 2 * Math.abs(value), value < 0)
  scratch[at] = TUPLE_CODE.number
  return at + 1
}

function putMagnitude(at: number, m: number, negative: boolean): number {
  const flip = negative ? 0xff : 0
  const n = m < 0x100 ? 1 : m < 0x10000 ? 2 : m < 0x1000000 ? 3 : 4
  scratch[at] = TUPLE_CODE.number + (negative ? -n : n)
  for (let i = 0; i < n; i++) scratch[at + 1 + i] = ((m >>> (8 * (n - 1 - i))) & 0xff) ^ flip
  return at + 1 + n
}

function putWide(at: number, magnitude: bigint, negative: boolean): number {
  return putWideMagnitude(at, 2n * magnitude, negative)
}

function putWideMagnitude(at: number, m: bigint, negative: boolean): number {
  double.setBigUint64(0, m)
  let skip = 0
  while (double.getUint8(skip) === 0) skip += 1
  const n = 8 - skip
  scratch[at] = TUPLE_CODE.number + (negative ? -n : n)
  for (let i = 0; i < n; i++) scratch[at + 1 + i] = double.getUint8(skip + i) ^ (negative ? 0xff : 0)
  return at + 1 + n
}

function putLarge(at: number, magnitude: number, negative: boolean): number {
  scratch[at] = TUPLE_CODE.number + (negative ? -LARGE : LARGE)
  return putDouble(at + 1, magnitude, negative)
}

function putDouble(at: number, magnitude: number, negative: boolean): number {
  double.setFloat64(0, magnitude)
  for (let i = 0; i < 8; i++) scratch[at + i] = double.getUint8(i) ^ (negative ? 0xff : 0)
  return at + 8
}

function putText(at: number, value: string): number {
  // Short ASCII by hand: the call into TextEncoder would be most of the time.
  let length = value.length <= SHORT_TEXT ? 0 : -1
  while (length >= 0 && length < value.length) {
    const unit = value.charCodeAt(length)
    if (unit > 0x7f) length = -1
    else utf8[length++] = unit
  }
  if (length >= 0) return putEscaped(at, TUPLE_CODE.text, utf8, length)
  if (!value.isWellFormed()) throw new SealError('bad-value', 'Expected well-formed Unicode text, found an unpaired surrogate.')
  // encodeInto stops at what fits in whole characters: at least MAX_KEY_LENGTH bytes, and the element then overflows as it should.
  return putEscaped(at, TUPLE_CODE.text, utf8, utf8Encoder.encodeInto(value, utf8).written)
}

function putEscaped(at: number, code: number, bytes: Uint8Array, length: number): number {
  scratch[at++] = code
  for (let i = 0; i < length && at < MAX_KEY_LENGTH; i++) {
    const byte = bytes[i] as number
    if (byte > ESCAPE) scratch[at++] = byte
    else {
      scratch[at++] = ESCAPE
      scratch[at++] = byte + 1
    }
  }
  scratch[at] = 0
  return at + 1
}

// Decoding.

interface Cursor {
  readonly key: Uint8Array
  at: number
}

function next(cursor: Cursor): number {
  const byte = cursor.key[cursor.at]
  if (byte === undefined) throw bad(cursor, 'Expected more bytes')
  cursor.at += 1
  return byte
}

function takeElement(cursor: Cursor, code: number): SqlValue {
  if (code === TUPLE_CODE.null) return null
  if (code === TUPLE_CODE.text) return decodeUtf8(takeEscaped(cursor))
  if (code === TUPLE_CODE.blob) return takeEscaped(cursor)
  const n = code - TUPLE_CODE.number
  if (n >= -LARGE && n <= LARGE) return takeNumber(cursor, n)
  throw bad(cursor, 'Expected a type code')
}

function takeNumber(cursor: Cursor, n: number): bigint | number {
  const negative = n < 0
  const size = Math.abs(n)
  if (size === LARGE) {
    const magnitude = takeDouble(cursor, negative)
    // The comparison is false for NaN.
    if (!(magnitude >= TWO_63)) throw bad(cursor, 'Expected a number of at least 2^63')
    if (negative && magnitude === TWO_63) return INT64_MIN
    return negative ? -magnitude : magnitude
  }
  // Up to six bytes are exact as a number, and bigint arithmetic is slow.
  let low = 0
  let high = 0n
  for (let i = 0; i < size; i++) {
    const byte = next(cursor) ^ (negative ? 0xff : 0)
    if (i === 0 && byte === 0) throw bad(cursor, 'Expected the shortest form of a number')
    if (i < 6) low = low * 256 + byte
    else high = ((i === 6 ? BigInt(low) : high) << 8n) | BigInt(byte)
  }
  const whole = size <= 6 ? BigInt(Math.floor(low / 2)) : high >> 1n
  if (size <= 6 ? low % 2 === 0 : (high & 1n) === 0n) return negative ? -whole : whole
  const magnitude = takeDouble(cursor, negative)
  if (!(magnitude > 0 && magnitude < TWO_63) || Number.isInteger(magnitude) || BigInt(Math.floor(magnitude)) !== whole) {
    throw bad(cursor, 'Expected a fraction that continues its whole part')
  }
  return negative ? -magnitude : magnitude
}

function takeDouble(cursor: Cursor, negative: boolean): number {
  for (let i = 0; i < 8; i++) double.setUint8(i, next(cursor) ^ (negative ? 0xff : 0))
  return double.getFloat64(0)
}

function takeEscaped(cursor: Cursor): Uint8Array {
  const out = new Uint8Array(cursor.key.length - cursor.at)
  let length = 0
  for (let byte = next(cursor); byte !== 0; byte = next(cursor)) {
    if (byte === ESCAPE) {
      const escaped = next(cursor)
      if (escaped !== 1 && escaped !== 2) throw bad(cursor, 'Expected 01 or 02 after the escape')
      out[length++] = escaped - 1
    } else out[length++] = byte
  }
  return out.slice(0, length)
}

function bad(cursor: Cursor, message: string): SealError {
  return new SealError('bad-encoding', `${message}, at offset ${cursor.at}.`, { offset: cursor.at })
}
