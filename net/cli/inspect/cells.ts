/** Values of SQL as cells of a page, and keys of rows as text of a link and back. */
import { SealError } from '../../../engine/errors.js'
import { html, type Html } from './html.js'

export type Value = null | bigint | number | string | Uint8Array

/** Longer texts and blobs are cut here; the page of the row shows them whole. */
const SHOWN = 200

export function cellOf(value: Value, whole = false): Html | string | number | bigint {
  if (value === null) return html`<i>NULL</i>`
  if (value instanceof Uint8Array) return cut(`x'${Buffer.from(value).toString('hex')}'`, whole)
  if (typeof value === 'string') return cut(value, whole)
  // A REAL that is integral says so.
  return typeof value === 'number' && Number.isInteger(value) ? `${value}.0` : value
}

function cut(text: string, whole: boolean): string {
  return whole || text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`
}

/** A row's key: a type and a text for each value. */
export function encodeKey(values: readonly Value[]): string {
  return JSON.stringify(values.map((value) =>
    value === null ? ['null', '']
    : value instanceof Uint8Array ? ['blob', Buffer.from(value).toString('hex')]
    : typeof value === 'bigint' ? ['integer', String(value)]
    : typeof value === 'number' ? ['real', String(value)]
    : ['text', value]))
}

/** Throws `bad-argument`: it comes from an address line. */
export function decodeKey(text: string): Value[] {
  try {
    return (JSON.parse(text) as readonly (readonly [string, string])[]).map(([type, value]) => valueOf(type, value))
  } catch (cause) {
    throw new SealError('bad-argument', 'Expected the key of a row, as a link of this inspector has it.', {}, { cause })
  }
}

function valueOf(type: string, text: string): Value {
  switch (type) {
    case 'null': return null
    case 'blob': return new Uint8Array(Buffer.from(text, 'hex'))
    case 'integer': return BigInt(text)
    case 'real': return Number(text)
    case 'text': return text
    default: throw new SealError('bad-argument', 'Expected a type of SQLite.')
  }
}
