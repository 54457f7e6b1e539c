/** Literals of SQL as values, where asking SQLite would be a detour. */
import { decodeHex } from '../engine/codec/bytes.js'
import { type SqlValue } from '../engine/codec/value.js'
import { type Literal } from './sql/ast.js'

const INT64_MAX = 2n ** 63n - 1n

/** As SQLite reads it: an integer beyond 64 bits is a REAL, hexadecimal is two's complement, `_` between digits is nothing. */
export function literalValue({ type, raw }: Literal, sign: '+' | '-' | '' = ''): SqlValue {
  switch (type) {
    case 'null':
      return null
    case 'text':
      return raw.slice(1, -1).replaceAll("''", "'")
    case 'blob':
      return decodeHex(raw.slice(2, -1).toLowerCase())
    case 'real': {
      const value = Number(raw.replaceAll('_', ''))
      return sign === '-' ? 0 - value : value
    }
    case 'integer': {
      const digits = raw.replaceAll('_', '')
      const hex = /^0x/i.test(digits)
      const unsigned = BigInt(digits)
      const value = hex ? BigInt.asIntN(64, unsigned) : unsigned
      const signed = sign === '-' ? -value : value
      return signed > INT64_MAX || signed < -INT64_MAX - 1n ? Number(signed) : signed
    }
  }
}
