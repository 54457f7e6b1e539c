/**
 * Developers' values ↔ exact SQLite values.
 *
 * Inside, a value carries its storage class (`SqlValue`: bigint is INTEGER, number is REAL). Outside, JavaScript has one kind of number:
 * a parameter that is a safe integer is INTEGER, any other number REAL (a column of REAL affinity makes 5 into 5.0, as SQLite does);
 * a result that is a safe integer or REAL is a number, an integer beyond ±(2⁵³ − 1) a bigint. To store a REAL 5.0 in a column without affinity: CAST(? AS REAL).
 */
import { type SqlValue } from '../engine/codec/value.js'
import { SealError } from '../engine/errors.js'
import { type ResultValue, type Statement } from './sqlite.js'

export { type SqlValue } from '../engine/codec/value.js'
export { type ResultValue } from './sqlite.js'

/** What may be given for a parameter: boolean is 0 or 1, Date its ISO text, arrays, plain objects and what has toJSON are JSON text. */
export type ParameterValue = null | boolean | number | bigint | string | Uint8Array | ArrayBuffer | Date | readonly unknown[] | object

/** By position, or by name (with or without its prefix). */
export type Parameters = readonly ParameterValue[] | { readonly [name: string]: ParameterValue }

/** Throws `bad-value`: undefined, NaN, an integer over 64 bits, an unpaired surrogate, an invalid Date, a function, a Map … */
export function toSqlValue(value: unknown): SqlValue {
  switch (typeof value) {
    case 'number':
      if (Number.isNaN(value)) throw refused('NaN')
      return Number.isSafeInteger(value) ? BigInt(value) : value
    case 'string':
      if (!value.isWellFormed()) throw refused('text with an unpaired surrogate')
      return value
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) throw refused('an integer over 64 bits')
      return value
    case 'boolean':
      return value ? 1n : 0n
    case 'object':
      return fromObject(value)
    default:
      throw refused(typeof value)
  }
}

/** The same number as a user sees it: INTEGER becomes a number where that is safe. */
export function toResultValue(value: SqlValue): ResultValue {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** Bind one parameter (from 1). As `statement.bindAt(index, toSqlValue(value))`, without the detour by bigint. */
function bindValue(statement: Statement, index: number, value: unknown): void {
  if (typeof value === 'number' && Number.isSafeInteger(value)) statement.bindInteger(index, value)
  else if (typeof value === 'string') statement.bindText(index, value)
  else statement.bindAt(index, toSqlValue(value))
}

/** Bind by position. Exactly as many as the statement has; `bad-argument` otherwise: a forgotten one would silently be NULL. */
export function bindPositional(statement: Statement, values: readonly unknown[]): void {
  statement.reset()
  const expected = statement.parameterCount
  if (values.length !== expected) throw new SealError('bad-argument', `Expected ${expected} parameters, found ${values.length}.`, { expected, found: values.length })
  for (let i = 0; i < expected; i++) bindValue(statement, i + 1, values[i])
}

/**
 * Bind by name. `names` are the statement's parameters with their prefix, as parsed (`:id`, `@id`, `$id`); `values` may leave the prefix away.
 * Throws `bad-argument` on a name that is missing or not in the statement.
 */
export function bindNamed(statement: Statement, names: readonly string[], values: { readonly [name: string]: unknown }): void {
  statement.clear()
  const used = new Set<string>()
  for (const name of names) {
    if (name === '?') throw new SealError('bad-argument', 'Expected parameters in a list: the statement has some without a name.', { name })
    const key = Object.hasOwn(values, name) ? name : name.slice(1)
    if (!Object.hasOwn(values, key)) throw new SealError('bad-argument', `Expected a value for the parameter ${name}.`, { name })
    used.add(key)
    const index = statement.parameterIndex(name)
    if (index === 0) throw new SealError('bad-argument', `The statement has no parameter ${name}.`, { name })
    bindValue(statement, index, values[key])
  }
  const extra = Object.keys(values).find((key) => !used.has(key))
  if (extra !== undefined) throw new SealError('bad-argument', `The statement has no parameter ${extra}.`, { name: extra })
}

function fromObject(value: object | null): SqlValue {
  if (value === null) return null
  if (value instanceof Uint8Array) return value
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw refused('an invalid Date')
    return value.toISOString()
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  const plain = Array.isArray(value) || prototype === Object.prototype || prototype === null || ('toJSON' in value && typeof value.toJSON === 'function')
  // JSON of a Map, a Set or a typed array loses what they hold.
  if (!plain) throw refused(value.constructor.name)
  let text: unknown
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw new SealError('bad-value', 'Expected a value with a JSON text as a parameter.', {}, { cause })
  }
  if (typeof text !== 'string') throw refused('an object without JSON')
  return text
}

function refused(found: string): SealError {
  return new SealError('bad-value', `Expected null, boolean, number, bigint, text, bytes, Date or JSON as a parameter, found ${found}.`, { found })
}
