/**
 * The terms and the WHERE of a CREATE INDEX as SQLite keeps it, as text. SQLite tells the columns of an index by PRAGMA, but not its expressions.
 *
 * Only text that SQLite has accepted is given here, so this splits and does not check.
 */
import { SealError } from '../../engine/errors.js'

export interface IndexText {
  /** Each without ASC or DESC. */
  readonly terms: readonly string[]
  readonly where: string | undefined
}

// A token that may hide a bracket, a comma or a word; brackets and commas; words; else one character.
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[(),]|[\p{L}_$][\p{L}\p{N}_$]*|[\s\S]/gu

export function parseIndexText(sql: string): IndexText {
  const tokens: readonly string[] = sql.match(TOKEN) ?? []
  const open = tokens.indexOf('(')
  const terms: string[] = []
  let term = ''
  let depth = 0
  for (let i = open; i >= 0 && i < tokens.length; i++) {
    const token = tokens[i] as string
    if (token === '(') depth++
    if (token === ')') depth--
    if (depth === 0 || (depth === 1 && token === ',')) {
      terms.push(withoutOrder(term))
      term = ''
      if (depth === 0) return { terms, where: whereOf(tokens.slice(i + 1)) }
    } else if (!(depth === 1 && token === '(' && i === open)) term += isComment(token) ? ' ' : token
  }
  throw new SealError('invariant', 'SQLite keeps an index that is not in the form of CREATE INDEX.')
}

function withoutOrder(term: string): string {
  return term.trim().replace(/(?<![\p{L}\p{N}_$])(?:ASC|DESC)(?:\s+NULLS\s+(?:FIRST|LAST))?$/iu, '').trim()
}

function whereOf(rest: readonly string[]): string | undefined {
  const at = rest.findIndex((token) => token.toUpperCase() === 'WHERE')
  if (at < 0) return undefined
  return rest.slice(at + 1).map((token) => (isComment(token) ? ' ' : token)).join('').trim()
}

function isComment(token: string): boolean {
  return token.startsWith('--') || token.startsWith('/*')
}
