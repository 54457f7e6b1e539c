/**
 * SQL values and their canonical encoding (PROTOCOL.md §1): the storage class is exact, so `typeof` round-trips.
 *
 * A bigint is always INTEGER, a number is always REAL: 1n and 1 are different values here (tuple.ts makes them one key).
 */
import { SealError } from '../errors.js'
import { MAX_VALUE_LENGTH } from '../limits.js'
import { type Reader, type Writer } from './canonical.js'

/** NULL · INTEGER (within 64 bits) · REAL (never NaN; −0 is written as 0) · TEXT (well-formed) · BLOB. */
export type SqlValue = null | bigint | number | string | Uint8Array

export const VALUE_TAG = { null: 0, integer: 1, real: 2, text: 3, blob: 4 } as const

const real = new DataView(new ArrayBuffer(8))
const realBytes = new Uint8Array(real.buffer)

/** Tag, then: nothing · int64 · eight bytes IEEE 754 big-endian · text · bytes. `max` counts bytes of text or blob. Throws `bad-value`, `too-large`. */
export function writeValue(writer: Writer, value: SqlValue, max: number = MAX_VALUE_LENGTH): void {
  if (value === null) writer.u8(VALUE_TAG.null)
  else if (typeof value === 'bigint') writer.u8(VALUE_TAG.integer).int64(value)
  else if (typeof value === 'string') writer.u8(VALUE_TAG.text).text(value, max)
  else if (typeof value === 'number') {
    if (Number.isNaN(value)) throw new SealError('bad-value', 'Expected a number, got NaN: SQLite has none, use NULL.')
    // + 0 turns −0 into 0, as SQLite does when it stores a row.
    real.setFloat64(0, value + 0)
    writer.u8(VALUE_TAG.real).fixed(realBytes, 8)
  } else if (value instanceof Uint8Array) writer.u8(VALUE_TAG.blob).bytes(value, max)
  else throw new SealError('bad-value', 'Expected null, bigint, number, string or Uint8Array.', { found: typeof value })
}

/** Strict inverse of `writeValue`. A blob is a view into the input. Throws `bad-encoding`, `too-large`. */
export function readValue(reader: Reader, max: number = MAX_VALUE_LENGTH): SqlValue {
  const tag = reader.u8()
  switch (tag) {
    case VALUE_TAG.null:
      return null
    case VALUE_TAG.integer:
      return reader.int64()
    case VALUE_TAG.real: {
      const bytes = reader.fixed(8)
      realBytes.set(bytes)
      const value = real.getFloat64(0)
      if (Number.isNaN(value) || Object.is(value, -0)) throw reader.bad('Expected a REAL other than NaN and −0')
      return value
    }
    case VALUE_TAG.text:
      return reader.text(max)
    case VALUE_TAG.blob:
      return reader.bytes(max)
    default:
      throw reader.bad('Expected the tag of a value, 0 to 4', { found: tag })
  }
}
