/**
 * A row's identity: its key, canonical under SQLite's equality. An integral REAL is the INTEGER it equals, text is folded by the column's collation.
 */
import { type SqlValue } from '../engine/codec/value.js'
import { encodeHex } from '../engine/codec/bytes.js'

export type Collation = 'BINARY' | 'NOCASE' | 'RTRIM'

/** `collations[i]` is that of the key's i-th column; missing ones are BINARY. */
export function canonicalKey(key: readonly SqlValue[], collations: readonly Collation[]): SqlValue[] {
  return key.map((value, i) => canonicalValue(value, collations[i] ?? 'BINARY'))
}

/** The canonical key of a row; `rowid` joins it where the declared key holds NULL. */
export function rowKey(key: readonly SqlValue[], collations: readonly Collation[], rowid: SqlValue | undefined): SqlValue[] {
  const canonical = canonicalKey(key, collations)
  if (rowid !== undefined && key.includes(null)) canonical.push(rowid)
  return canonical
}

export function canonicalValue(value: SqlValue, collation: Collation): SqlValue {
  if (typeof value === 'number') return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63 ? BigInt(value) : value
  if (typeof value !== 'string' || collation === 'BINARY') return value
  // As SQLite: ASCII letters only, and only U+0020.
  return collation === 'NOCASE' ? value.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : value.replace(/ +$/, '')
}

/** For a Map: equal exactly if the canonical keys are. */
export function keyIdentity(canonical: readonly SqlValue[]): string | number {
  const [only] = canonical
  if (canonical.length === 1 && typeof only === 'bigint' && only < 2n ** 53n && only > -(2n ** 53n)) return Number(only)
  let identity = ''
  for (const value of canonical) identity += valueIdentity(value)
  return identity
}

/** Delimits itself, so identities of tuples are unambiguous. */
function valueIdentity(value: SqlValue): string {
  if (value === null) return 'n;'
  if (typeof value === 'bigint') return `i${value};`
  if (typeof value === 'number') return `r${value};`
  if (typeof value === 'string') return `t${value.length}:${value}`
  return `b${encodeHex(value)};`
}
