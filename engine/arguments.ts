/**
 * What callers hand in, checked at the rim: types say it to who writes TypeScript, these to everybody else. A wrong argument is `bad-argument` that names
 * what was expected and what was found, never a TypeError from somewhere inside.
 */
import { SealError } from './errors.js'

/** For messages: 'text', 'null', 'a number', 'an object of Map' …; never the value. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'string') return 'text'
  if (Array.isArray(value)) return 'a list'
  if (typeof value !== 'object') return `a ${typeof value}`
  const { constructor } = value as { readonly constructor?: { readonly name?: unknown } }
  return typeof constructor === 'function' && constructor !== Object ? `an object of ${constructor.name}` : 'an object'
}

/** `what`: as in "Expected SQL as text, found …". */
export function expected(what: string, found: unknown): SealError {
  return new SealError('bad-argument', `Expected ${what}, found ${kindOf(found)}.`, { found: kindOf(found) })
}

export function expectText(value: unknown, what: string): asserts value is string {
  if (typeof value !== 'string') throw expected(what, value)
}

export function expectFunction(value: unknown, what: string): void {
  if (typeof value !== 'function') throw expected(what, value)
}

export function expectList(value: unknown, what: string): void {
  if (!Array.isArray(value)) throw expected(what, value)
}

/** An object, not null. */
export function expectObject(value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null) throw expected(what, value)
}
