/**
 * SQLite's order of values over storage classes, with BINARY collation and no affinity: NULL < numbers < text < blobs. Used by policies,
 * so it is consensus.
 */
import { compareBytes } from '../codec/bytes.js'
import { type SqlValue } from '../codec/value.js'

/** <0, 0, >0. Integers and reals are compared exactly; text by code point, which is the order of its UTF-8. */
export function compareValues(a: SqlValue, b: SqlValue): number {
  const difference = storageClass(a) - storageClass(b)
  if (difference !== 0) return difference
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b)
  if (a === null || b === null) return 0
  // Mixed comparison of bigint and number is exact in ECMAScript.
  return a < b ? -1 : a > b ? 1 : 0
}

/** Numbers share a class: 1 = 1.0. */
function storageClass(value: SqlValue): number {
  if (value === null) return 0
  if (typeof value === 'bigint' || typeof value === 'number') return 1
  return typeof value === 'string' ? 2 : 3
}

const PIECE = 1_024

/** Code units order as code points do, but for surrogates, which stand for code points above U+FFFF. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  let start = 0
  // What long texts have in common is passed over in pieces: those compare as memory does.
  while (start + PIECE < length && a.slice(start, start + PIECE) === b.slice(start, start + PIECE)) start += PIECE
  for (let i = start; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) {
      const xSurrogate = x >= 0xd800 && x <= 0xdfff
      const ySurrogate = y >= 0xd800 && y <= 0xdfff
      return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1
    }
  }
  return a.length - b.length
}
