/**
 * SQLite's tokens, after its `tokenize.c`: the lexer, and the words that are keywords only where the grammar wants one.
 *
 * The lexer knows a single Word; `lex` then turns words into keywords by table. A keyword that SQLite would let fall back to an
 * identifier belongs to the category `Word`, so a rule that asks for a name accepts it, and a rule that asks for the keyword first
 * gets the keyword. WINDOW, OVER and FILTER are decided by their neighbours, as in SQLite.
 */
import { createToken, Lexer, type IToken, type TokenType } from 'chevrotain'

const category = (name: string, label: string, categories: TokenType[] = []): TokenType =>
  createToken({ name, label, pattern: Lexer.NA, categories })

/** `nm` of SQLite's grammar: anything that can name something. */
export const Nm = category('Nm', 'a name')
/** `ID | STRING`: an alias without AS, a type word, a collation. */
export const Ids = category('Ids', 'a name')
/** `ID | INDEXED | JOIN_KW`: a column or function by itself. */
export const Idj = category('Idj', 'a name', [Nm])
/** `ID`, keywords that fall back to one included. */
export const Word = category('Word', 'a name', [Idj, Ids])

export const BinaryOperatorToken = category('BinaryOperator', 'an operator')
export const PrefixToken = category('PrefixOperator', 'a prefix operator')
export const LikeToken = category('LikeOperator', 'LIKE, GLOB, REGEXP or MATCH')
export const JoinWord = category('JoinWord', 'a kind of join', [Idj])
export const CurrentTimeToken = category('CurrentTime', 'CURRENT_TIMESTAMP', [Word])
/** Literals that mean themselves everywhere; a text literal may also be a name. */
export const PlainLiteral = category('PlainLiteral', 'a literal')
export const NumberToken = category('Number', 'a number', [PlainLiteral])
/** Text that is no token: its class is told in errors, never its content. */
export const Illegal = category('Illegal', 'nothing')

const RESERVED = [
  'ADD', 'ALL', 'ALTER', 'AS', 'AUTOINCREMENT', 'BETWEEN', 'CASE', 'CHECK', 'COLLATE', 'COMMIT', 'CONSTRAINT', 'CREATE', 'DEFAULT',
  'DEFERRABLE', 'DELETE', 'DISTINCT', 'DROP', 'ELSE', 'ESCAPE', 'EXCEPT', 'EXISTS', 'FOREIGN', 'FROM', 'GROUP', 'HAVING', 'IN',
  'INDEX', 'INSERT', 'INTERSECT', 'INTO', 'IS', 'ISNULL', 'JOIN', 'LIMIT', 'NOTHING', 'NOTNULL', 'ON', 'ORDER', 'PRIMARY',
  'REFERENCES', 'RETURNING', 'SELECT', 'SET', 'TABLE', 'THEN', 'TO', 'TRANSACTION', 'UNION', 'UNIQUE', 'UPDATE', 'USING', 'VALUES',
  'WHEN', 'WHERE',
  // names unless their neighbours say otherwise, see `decideByNeighbours`
  'FILTER', 'OVER', 'WINDOW',
] as const
const FALLBACK = [
  'ABORT', 'ACTION', 'AFTER', 'ALWAYS', 'ANALYZE', 'ASC', 'ATTACH', 'BEFORE', 'BEGIN', 'BY', 'CASCADE', 'CAST', 'COLUMN', 'CONFLICT',
  'CURRENT', 'DATABASE', 'DEFERRED', 'DESC', 'DETACH', 'DO', 'EACH', 'END', 'EXCLUDE', 'EXCLUSIVE', 'EXPLAIN', 'FAIL',
  'FIRST', 'FOLLOWING', 'FOR', 'GENERATED', 'GROUPS', 'IF', 'IGNORE', 'IMMEDIATE', 'INITIALLY', 'INSTEAD', 'KEY', 'LAST',
  'MATERIALIZED', 'NO', 'NULLS', 'OF', 'OFFSET', 'OTHERS', 'PARTITION', 'PLAN', 'PRAGMA', 'PRECEDING', 'QUERY', 'RAISE',
  'RANGE', 'RECURSIVE', 'REINDEX', 'RELEASE', 'RENAME', 'REPLACE', 'RESTRICT', 'ROLLBACK', 'ROW', 'ROWS', 'SAVEPOINT', 'TEMP',
  'TEMPORARY', 'TIES', 'TRIGGER', 'UNBOUNDED', 'VACUUM', 'VIEW', 'VIRTUAL', 'WITH', 'WITHOUT',
  // SealDB's own
  'BLIND', 'PLAINTEXT', 'POLICY', 'VERIFIED',
] as const
const JOIN_WORDS = ['CROSS', 'FULL', 'INNER', 'LEFT', 'NATURAL', 'OUTER', 'RIGHT'] as const
const LIKE_WORDS = ['GLOB', 'LIKE', 'MATCH', 'REGEXP'] as const
const TIME_WORDS = ['CURRENT_DATE', 'CURRENT_TIME', 'CURRENT_TIMESTAMP'] as const

type Keyword =
  | (typeof RESERVED)[number] | (typeof FALLBACK)[number] | (typeof JOIN_WORDS)[number] | (typeof LIKE_WORDS)[number]
  | (typeof TIME_WORDS)[number] | 'AND' | 'OR' | 'NOT' | 'NULL' | 'INDEXED'

const keywords = new Map<string, TokenType>()
const keyword = (name: string, categories: TokenType[]): void => {
  keywords.set(name, createToken({ name, label: name, pattern: Lexer.NA, categories }))
}
for (const name of RESERVED) keyword(name, [])
for (const name of FALLBACK) keyword(name, [Word])
for (const name of JOIN_WORDS) keyword(name, [JoinWord])
for (const name of LIKE_WORDS) keyword(name, [Word, LikeToken])
for (const name of TIME_WORDS) keyword(name, [CurrentTimeToken])
keyword('AND', [BinaryOperatorToken])
keyword('OR', [BinaryOperatorToken])
keyword('NOT', [PrefixToken])
keyword('NULL', [PlainLiteral])
keyword('INDEXED', [Idj])

/** The keywords' token types by name. The cast is sound: the loops above filled in every `Keyword`. */
export const K = Object.fromEntries(keywords) as Readonly<Record<Keyword, TokenType>>
// Most SQL is written in one case; mixed case takes the slower way.
for (const [name, type] of [...keywords]) keywords.set(name.toLowerCase(), type)

const DIGITS = '[0-9]+(?:_[0-9]+)*'
const IDENT = '[A-Za-z0-9_$\\x80-\\uFFFF]'
const END = `(?!${IDENT})`
/** An integer with a point after it would be a real, had that been well formed. */
const INTEGER_END = `(?!\\.|${IDENT})`
const letters = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const DIGIT_START = letters(48, 57)
/** Beyond Latin-1, chevrotain looks first characters up in buckets of 255: one of each bucket will do. */
const LETTER_START = [...letters(65, 90), ...letters(97, 122), '_', ...letters(128, 256), ...Array.from({ length: 256 }, (_, i) => 255 * (i + 2))]

/** For every pattern the characters that can start it, which chevrotain then need not derive from the expression. */
const token = (name: string, label: string, pattern: RegExp, starts: readonly (string | number)[], categories: TokenType[]): TokenType =>
  createToken({ name, label, pattern, categories, start_chars_hint: [...starts], line_breaks: true })

const Space = createToken({
  name: 'Space', pattern: /[ \t\n\f\r\uFEFF]+/, group: Lexer.SKIPPED, line_breaks: true, start_chars_hint: [' ', '\t', '\n', '\f', '\r', '\uFEFF'],
})
const LineComment = createToken({ name: 'LineComment', pattern: /--[^\n]*/, group: Lexer.SKIPPED, start_chars_hint: ['-'] })
const BlockComment = createToken({
  name: 'BlockComment', pattern: /\/\*(?:[^*]|\*(?!\/))+(?:\*\/|$)|\/\*\*\//, group: Lexer.SKIPPED, line_breaks: true, start_chars_hint: ['/'],
})

export const Identifier = token('Identifier', 'a name', new RegExp(`[A-Za-z_\\x80-\\uFFFF]${IDENT}*`),
  LETTER_START, [Word])
export const Quoted = token('Quoted', 'a name', /"[^"]*(?:""[^"]*)*"|\[[^\]]*\]|`[^`]*(?:``[^`]*)*`/, ['"', '[', '`'], [Word])
export const Text = token('Text', 'a text literal', /'[^']*(?:''[^']*)*'/, ["'"], [Ids, Nm])
export const Blob = token('Blob', 'a blob literal', /[xX]'(?:[0-9a-fA-F]{2})*'/, ['x', 'X'], [PlainLiteral])
export const Real = token('Real', 'a number', new RegExp(
  `(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})[eE][+-]?${DIGITS}${END}|${DIGITS}\\.(?:${DIGITS})?${END}|\\.${DIGITS}${END}`),
[...DIGIT_START, '.'], [NumberToken])
export const Integer = token('Integer', 'an integer', new RegExp(`0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*${INTEGER_END}|${DIGITS}${INTEGER_END}`),
  DIGIT_START, [NumberToken])
export const Variable = token('Variable', 'a parameter',
  new RegExp(`\\?[0-9]*|[@:$](?:::)*${IDENT}(?:${IDENT}|::)*(?:\\([^ \\t\\n\\v\\f\\r)]*\\))?`), ['?', '@', ':', '$'], [])

const BadBlob = token('BadBlob', 'a malformed blob literal', /[xX]'[^']*'?/, ['x', 'X'], [Illegal])
const BadNumber = token('BadNumber', 'a malformed number', /\.?[0-9][A-Za-z0-9_$.\x80-\uFFFF]*/, [...DIGIT_START, '.'], [Illegal])
const Unterminated = token('Unterminated', 'an unterminated quote', /['"`[][^]*/, ["'", '"', '`', '['], [Illegal])
const Stray = token('Stray', 'a stray character', /[^]/, letters(0, 127), [Illegal])

const sign = (name: string, text: string, categories: TokenType[] = []): TokenType =>
  createToken({ name, label: `"${text}"`, pattern: text, categories })
const op = (name: string, text: string): TokenType => sign(name, text, [BinaryOperatorToken])
export const LParen = sign('LParen', '(')
export const RParen = sign('RParen', ')')
export const Comma = sign('Comma', ',')
export const Semi = sign('Semi', ';')
export const Dot = sign('Dot', '.')
export const Star = op('Star', '*')
export const Equal = op('Equal', '=')
export const Plus = sign('Plus', '+', [BinaryOperatorToken, PrefixToken])
export const Minus = sign('Minus', '-', [BinaryOperatorToken, PrefixToken])
const Tilde = sign('Tilde', '~', [PrefixToken])
const OPERATORS = [
  op('ArrowText', '->>'), op('Arrow', '->'), op('Concat', '||'), op('ShiftLeft', '<<'), op('LessEqual', '<='), op('NotEqual2', '<>'),
  op('Less', '<'), op('ShiftRight', '>>'), op('GreaterEqual', '>='), op('Greater', '>'), op('Equal2', '=='), Equal, op('NotEqual', '!='),
  op('BitAnd', '&'), op('BitOr', '|'), Plus, Minus, Star, op('Slash', '/'), op('Percent', '%'), Tilde,
]

const LEXED = [
  Space, LineComment, BlockComment, Blob, BadBlob, Identifier, Quoted, Text, Real, Integer, BadNumber, Variable, Unterminated,
  LParen, RParen, Comma, Semi, Dot, ...OPERATORS, Stray,
]
/** Every token type, for the parser. */
export const VOCABULARY = [
  ...LEXED, ...Object.values(K), Nm, Ids, Idj, Word, BinaryOperatorToken, PrefixToken, LikeToken, JoinWord, CurrentTimeToken,
  PlainLiteral, NumberToken, Illegal,
]

const lexer = new Lexer(LEXED, { positionTracking: 'onlyOffset', ensureOptimizations: true, skipValidations: true })

/** The tokens of `text`, without spaces and comments. Never throws: what is no token is an `Illegal` one. */
export function lex(text: string): IToken[] {
  const { tokens } = lexer.tokenize(text)
  let contextual = false
  for (const token of tokens) {
    if (token.tokenType !== Identifier) continue
    const type = keywordOf(token.image)
    if (type === undefined) continue
    retype(token, type)
    contextual ||= type === K.WINDOW || type === K.OVER || type === K.FILTER
  }
  if (contextual) tokens.forEach(decideByNeighbours)
  return tokens
}

export const isA = (token: IToken, type: TokenType): boolean =>
  token.tokenType === type || type.categoryMatchesMap?.[token.tokenTypeIdx] === true

function keywordOf(image: string): TokenType | undefined {
  if (image.length > 17) return undefined // CURRENT_TIMESTAMP
  const direct = keywords.get(image)
  if (direct !== undefined) return direct
  // toUpperCase folds beyond ASCII ("ſelect"); keywords are ASCII.
  return /^[A-Za-z_]+$/.test(image) ? keywords.get(image.toUpperCase()) : undefined
}

function retype(token: IToken, type: TokenType): void {
  token.tokenType = type
  token.tokenTypeIdx = type.tokenTypeIdx ?? 0
}

/** WINDOW before `name AS`; OVER between `)` and `(` or a name; FILTER between `)` and `(`. Otherwise they are names. */
function decideByNeighbours(token: IToken, at: number, tokens: readonly IToken[]): void {
  const type = token.tokenType
  if (type !== K.WINDOW && type !== K.OVER && type !== K.FILTER) return
  const before = tokens[at - 1]?.tokenType, next = tokens[at + 1], after = tokens[at + 2]?.tokenType
  const isName = next !== undefined && next.tokenType !== K.INDEXED && (isA(next, Nm) || next.tokenType === K.OVER || next.tokenType === K.WINDOW)
  const isKeyword = type === K.WINDOW ? isName && after === K.AS
    : before === RParen && (next?.tokenType === LParen || (type === K.OVER && isName))
  if (!isKeyword) retype(token, Identifier)
}
