/** SQL names: how they compare, and how a rewriter makes one. */
import { NO_SPAN, type Name } from './ast.js'

/** A name as SQLite compares it: ASCII letters folded, nothing else. */
export const foldName = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

export const sameName = (a: string, b: string): boolean => foldName(a) === foldName(b)

/** A name that no keyword and no character can spoil: always quoted. */
export const makeName = (text: string): Name => ({ kind: 'name', text, quote: '"', span: NO_SPAN })

/** A name as SQL text, quoted the way it was. */
export function printName({ text, quote }: Name): string {
  return quote === '' ? text : quote === '[' ? `[${text}]` : quote + text.replaceAll(quote, quote + quote) + quote
}
