/**
 * Text to statements. `parseStatement` is cached by text; trees are readonly and shared.
 *
 * Errors are `SealError`: 'sql-syntax' with SQLite's wording, line, column, what was found and what was expected; 'sql-limit' for
 * text that nests or grows beyond a bound. Neither contains a literal of the text.
 */
import type { IRecognitionException, IToken, TokenType } from 'chevrotain'
import { expectText } from '../../engine/arguments.js'
import { SealError } from '../../engine/errors.js'
import { PARSE_CACHE_SIZE, PARSE_CACHE_TEXT } from '../../engine/limits.js'
import type { Statement } from './ast.js'
import { grammarFor, type SqlGrammar } from './grammar.js'
import { syntaxError } from './syntax-error.js'
import { K, lex, Semi } from './tokens.js'

const cache = new Map<string, Statement>()

/**
 * The one statement in `text`; semicolons around it are allowed. Least recently used texts leave the cache.
 *
 * @example
 * parseStatement('SELECT title FROM task WHERE id = ?').kind // 'select'
 */
export function parseStatement(text: string): Statement {
  const known = cache.get(text)
  if (known !== undefined) {
    cache.delete(text)
    cache.set(text, known)
    return known
  }
  const statements = parseScript(text)
  const [statement, second] = statements
  if (statement === undefined) throw syntaxError(text, undefined, ['a statement'])
  if (second !== undefined) {
    throw new SealError('sql-syntax', 'One statement expected, found more: use exec() for scripts.', { offset: second.span.start })
  }
  if (text.length <= PARSE_CACHE_TEXT) {
    if (cache.size >= PARSE_CACHE_SIZE) cache.delete(cache.keys().next().value as string)
    cache.set(text, statement)
  }
  return statement
}

/** Every statement of a script, with spans into the whole of it. Not cached; one error refuses all. */
export function parseScript(text: string): Statement[] {
  return run(text, (grammar) => grammar.script())
}

/** A piece of a script: one statement's text, without spaces and comments around it, and where it begins. */
export type Piece = { readonly text: string; readonly start: number }

/**
 * A script cut at its semicolons, but for those inside a trigger's body, without parsing: as in SQLite, the statements before a
 * faulty one can run. Each piece's text then has its place in the cache.
 */
export function splitStatements(text: string): Piece[] {
  expectText(text, 'SQL as text')
  const pieces: Piece[] = []
  let first: IToken | undefined, before: IToken | undefined, beforeThat: IToken | undefined
  let head: TokenType[] = []
  const cut = (): void => {
    if (first !== undefined && before !== undefined) {
      pieces.push({ text: text.slice(first.startOffset, before.startOffset + before.image.length), start: first.startOffset })
    }
    first = before = beforeThat = undefined
    head = []
  }
  for (const token of lex(text)) {
    const closed = before?.tokenType === K.END && beforeThat?.tokenType === Semi
    if (token.tokenType === Semi && (closed || !beginsTrigger(head))) cut()
    else {
      first ??= token
      if (head.length < 6) head.push(token.tokenType)
      beforeThat = before
      before = token
    }
  }
  cut()
  return pieces
}

/** `[EXPLAIN [QUERY PLAN | VERIFIED]] CREATE [TEMP] TRIGGER`. */
function beginsTrigger(head: readonly TokenType[]): boolean {
  const create = head.indexOf(K.CREATE)
  if (create < 0 || (create > 0 && head[0] !== K.EXPLAIN)) return false
  const next = head[create + 1]
  return (next === K.TEMP || next === K.TEMPORARY ? head[create + 2] : next) === K.TRIGGER
}

function run<T>(text: string, rule: (grammar: SqlGrammar) => T): T {
  try {
    // A single token of some megabytes is too much for regular expressions' stack.
    const tokens = lex(text)
    const grammar = grammarFor(text, tokens)
    const result = rule(grammar)
    const error = grammar.errors[0]
    if (error !== undefined) throw syntaxError(text, offender(error, text), expectedOf(error, tokens))
    return result
  } catch (error) {
    // The bound on nesting should come first; a caller that has already used up its stack still gets a typed error.
    if (error instanceof RangeError) {
      throw new SealError('sql-limit', 'The statement nests too deeply for the stack that is left.', {}, { cause: error })
    }
    throw error
  }
}

const offender = (error: IRecognitionException, text: string): IToken | undefined =>
  Number.isNaN(error.token.startOffset) || error.token.startOffset >= text.length ? undefined : error.token

/** Chevrotain's message is our list of labels (see `LABELS`); empty means that the text goes on after a complete statement. */
function expectedOf(error: IRecognitionException, tokens: readonly IToken[]): readonly string[] {
  if (error.message !== '') return error.message.split('\n')
  const before = tokens[tokens.indexOf(error.token) - 1]
  return before === undefined || before.tokenType === Semi ? ['a statement'] : ['";"', 'end of input']
}
