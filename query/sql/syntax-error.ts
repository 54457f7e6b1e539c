/**
 * Errors of SQL text, worded like SQLite's and placed by line and column.
 *
 * A literal or quoted token may be a sealed value, so the message and the facts name its class, never its content.
 */
import type { IToken, TokenType } from 'chevrotain'
import { SealError } from '../../engine/errors.js'
import { Blob, Illegal, isA, NumberToken, Quoted, Text } from './tokens.js'

/**
 * `near "FRM": syntax error …`, `incomplete input …` or `unrecognized token …` at `token` (undefined: the end of the text).
 * `complaint` is one that SQLite words otherwise. Facts: `line` and `column` from 1, `offset` from 0, `found`, `expected` (a list joined by ", ").
 */
export function syntaxError(text: string, token: IToken | undefined, expected: readonly string[], complaint?: string): SealError {
  const at = token === undefined ? text.length : token.startOffset
  const { line, column } = position(text, at)
  const found = token === undefined ? 'end of input' : describe(token)
  const wanted = [...new Set(expected)]
  const what = token === undefined ? 'incomplete input'
    : complaint !== undefined ? `${complaint}: ${found}`
    : isA(token, Illegal) ? `unrecognized token: ${found}`
    : `near ${found}: syntax error`
  const hint = wanted.length === 0 || wanted.length > 12 ? '' : `, expected ${wanted.join(', ')}`
  return new SealError('sql-syntax', `${what} (line ${line}, column ${column}${hint})`, {
    line, column, offset: at, found, expected: wanted.join(', '),
  })
}

/** Line and column from 1, in UTF-16 units, as editors count. */
export function position(text: string, offset: number): { readonly line: number; readonly column: number } {
  let line = 1, start = 0
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line++
    start = at + 1
  }
  return { line, column: offset - start + 1 }
}

function describe(token: IToken): string {
  const type: TokenType = token.tokenType
  if (type === Quoted) return '<quoted name>'
  const secret = type === Text || type === Blob || isA(token, NumberToken) || isA(token, Illegal)
  return secret ? `<${(type.LABEL ?? type.name).replace(/^an? /, '')}>` : `"${token.image}"`
}
