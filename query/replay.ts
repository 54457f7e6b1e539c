/**
 * The statements of a transaction as bytes: kept sealed beside an entry that is not in the log yet, so that it can be executed again after a restart.
 *
 *   replay := 0x01 statement*        statement := text (0 | 1 value* | 2 (name value)*)        3, 4, 5 for 0, 1, 2: it failed, and what it did before that stayed (OR FAIL)
 */
import { decodeCanonical, encodeCanonical } from '../engine/codec/canonical.js'
import { readValue, writeValue, type SqlValue } from '../engine/codec/value.js'
import { MAX_OPS, MAX_VALUE_LENGTH } from '../engine/limits.js'
import { toSqlValue, type Parameters, type ParameterValue } from './values.js'

export interface Replayed {
  readonly text: string
  readonly parameters: Parameters | undefined
  /** It failed half way, and the transaction went on with what it had done: it may fail again. */
  readonly failed?: boolean
}

const VERSION = 1
const MAX_PARAMETERS = 32_766
/** Added to the kind of parameters. */
const FAILED = 3

/** Undefined if there is too much to keep: then it is executed again in this process only. */
export function encodeReplay(statements: readonly Replayed[]): Uint8Array | undefined {
  if (statements.length > MAX_OPS) return undefined
  return encodeCanonical(statements, (w, list) => {
    w.u8(VERSION)
    w.list(list, MAX_OPS, (x, { text, parameters, failed = false }) => {
      x.text(text, MAX_VALUE_LENGTH)
      const kind = failed ? FAILED : 0
      if (parameters === undefined) x.u8(kind)
      else if (isList(parameters)) x.u8(kind + 1).list(parameters, MAX_PARAMETERS, (y, value) => writeValue(y, toSqlValue(value)))
      else x.u8(kind + 2).list(Object.entries(parameters), MAX_PARAMETERS, (y, [name, value]) => writeValue(y.text(name, MAX_VALUE_LENGTH), toSqlValue(value)))
    })
  })
}

/** Throws `bad-encoding`. Values are exact: a number was a REAL. */
export function decodeReplay(bytes: Uint8Array): { readonly text: string; readonly parameters: readonly SqlValue[] | { readonly [name: string]: SqlValue } | undefined; readonly failed: boolean }[] {
  return decodeCanonical(bytes, (r) => {
    if (r.u8() !== VERSION) throw r.bad('Expected version 1 of a replay')
    return r.list(MAX_OPS, (x) => {
      const text = x.text(MAX_VALUE_LENGTH)
      const tag = x.u8()
      const failed = tag >= FAILED
      const kind = failed ? tag - FAILED : tag
      if (kind === 0) return { text, parameters: undefined, failed }
      if (kind === 1) return { text, parameters: x.list(MAX_PARAMETERS, (y) => readValue(y)), failed }
      if (kind === 2) return { text, parameters: Object.fromEntries(x.list(MAX_PARAMETERS, (y) => [y.text(MAX_VALUE_LENGTH), readValue(y)] as const)), failed }
      throw x.bad('Expected a kind of parameters')
    })
  })
}

function isList(parameters: Parameters): parameters is readonly ParameterValue[] {
  return Array.isArray(parameters)
}
