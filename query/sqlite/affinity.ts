/**
 * Would SQLite change this value on its way into a column? Rows arrive as their author's SQLite stored them, so a value that would change was not
 * written by an honest one.
 */
import { type SqlValue } from '../../engine/codec/value.js'
import { type Affinity } from './form.js'

/** What SQLite takes for a number in text: no hexadecimal, no NaN or Infinity, its own white space around it, and it reads no further than a NUL. */
const NUMERIC_TEXT = /^[\t\n\v\f\r ]*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[\t\n\v\f\r ]*(?:$|\0)/
const INT64_LIMIT = 2 ** 63

/** False if storing `value` under `affinity` would give another value or storage class. */
export function isAffinityNormal(value: SqlValue, affinity: Affinity): boolean {
  if (value === null || value instanceof Uint8Array) return true
  switch (affinity) {
    case 'blob':
    case 'any':
      return true
    case 'text':
      return typeof value === 'string'
    case 'real':
      return typeof value === 'string' ? !NUMERIC_TEXT.test(value) : typeof value === 'number'
    case 'integer':
    case 'numeric':
      if (typeof value === 'string') return !NUMERIC_TEXT.test(value)
      // An integral REAL becomes an INTEGER, but for the two ends of the range, where SQLite doesn't trust the conversion.
      return typeof value === 'bigint' || !Number.isInteger(value) || value >= INT64_LIMIT || value <= -INT64_LIMIT
  }
}
