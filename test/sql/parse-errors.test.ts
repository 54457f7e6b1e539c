/** Errors of SQL text: SQLite's words, a place, what was found and expected, and never a literal. */
import { describe, expect, test } from 'vitest'
import { isSealError, type SealError } from '../../engine/errors.js'
import { MAX_EXPRESSION_DEPTH, MAX_SQL_NESTING, PARSE_CACHE_SIZE } from '../../engine/limits.js'
import { parseScript, parseStatement } from '../../query/sql/parse.js'
import { printStatement } from '../../query/sql/print.js'
import { transform, walk } from '../../query/sql/visit.js'

function refusal(text: string): SealError {
  try {
    parseScript(text)
  } catch (error) {
    if (isSealError(error)) return error
    throw error
  }
  throw new Error(`accepted: ${text.slice(0, 200)}`)
}

describe('syntax errors', () => {
  test('have a code, a family, a place, what was found and what was expected', () => {
    const error = refusal('SELECT a\n  FRM t\nWHERE')
    expect(error).toMatchObject({ code: 'sql-syntax', family: 'usage' })
    expect(error.message).toBe('near "t": syntax error (line 2, column 7, expected ";", end of input)')
    expect(error.facts).toEqual({ line: 2, column: 7, offset: 15, found: '"t"', expected: '";", end of input' })
  })

  test.each([
    ['SELECT', 'incomplete input', 1, 7],
    ['SELECT 1 +', 'incomplete input', 1, 11],
    ['SELECT\n(1', 'incomplete input', 2, 3],
    ['FROB t', 'near "FROB": syntax error', 1, 1],
    ['SELECT 1; FROB', 'near "FROB": syntax error', 1, 11],
    ['SELECT 1;\r\nSELECT ,', 'near ",": syntax error', 2, 8],
    ['INSERT t VALUES (1)', 'near "t": syntax error', 1, 8],
    ['CREATE TABLE t (a b,)', 'near ")": syntax error', 1, 21],
    ['SELECT * FROM t OUTER JOIN u', 'unknown join type: "OUTER"', 1, 17],
    ['CREATE TABLE t (a) WITHOUT OIDS', 'unknown table option: "OIDS"', 1, 28],
    ['SELECT a ESCAPE b', 'near "ESCAPE": syntax error', 1, 10],
    ['SELECT x BETWEEN 1 FROM t', 'near "FROM": syntax error', 1, 20],
    ['WITH t AS NOT (SELECT 1) SELECT 1', 'near "(": syntax error', 1, 15],
    ['VALUES (1) ORDER BY 1', 'near "ORDER": syntax error', 1, 12],
    ['SELECT !', 'unrecognized token', 1, 8],
  ])('%j', (text, message, line, column) => {
    const error = refusal(text)
    expect(error.message.startsWith(message)).toBe(true)
    expect(error.facts).toMatchObject({ line, column })
  })

  test.each([
    ["SELECT 1 FROM 'top' 'secret' 3", 'near <integer>'],
    ["SELECT 1 'a' 'secret'", 'near <text literal>'],
    ["SELECT a FROM t WHERE x = 'secret", 'unrecognized token: <unterminated quote>'],
    ['SELECT "secret', 'unrecognized token: <unterminated quote>'],
    ['SELECT a b "secret"', 'near <quoted name>'],
    ["SELECT 1 x'5ec2e7'", 'near <blob literal>'],
    ["SELECT x'secret'", 'unrecognized token: <malformed blob literal>'],
    ['SELECT 1 5432101', 'near <integer>'],
    ['SELECT 1 54321.01', 'near <number>'],
    ['SELECT 54321secret', 'unrecognized token: <malformed number>'],
  ])('names the class of a literal only: %s', (text, message) => {
    const error = refusal(text)
    expect(error.message.startsWith(message)).toBe(true)
    expect(error.message + JSON.stringify(error.facts)).not.toMatch(/secret|5ec2e7|54321/)
  })

  test('a fault leaves nothing behind for the next text', () => {
    refusal('CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t RETURNING a; END')
    refusal('SELECT ? + (1 + 2 *')
    expect(parseStatement('DELETE FROM t WHERE a = ? RETURNING a')).toMatchObject({ where: { right: { number: 1 } } })
    expect(parseScript('SELECT ?; SELECT ?')).toMatchObject([{ cores: [{ columns: [{ expr: { number: 1 } }] }] }, { cores: [{ columns: [{ expr: { number: 1 } }] }] }])
  })
})

describe('bounds', () => {
  const tall: Record<string, (n: number) => string> = {
    sums: (n) => `SELECT 1${' + 1'.repeat(n)}`,
    signs: (n) => `SELECT ${'- '.repeat(n)}1`,
    nots: (n) => `SELECT ${'NOT '.repeat(n)}1`,
    collations: (n) => `SELECT a${' COLLATE x'.repeat(n)}`,
    lists: (n) => `SELECT a${' IN (1)'.repeat(n)}`,
  }
  test.each(Object.entries(tall))('a tree of %s stops at SQLite\'s height', (_name, make) => {
    const statement = parseStatement(make(MAX_EXPRESSION_DEPTH - 1))
    // What parses can be printed, walked and rewritten.
    expect(parseStatement(printStatement(statement)).kind).toBe('select')
    let count = 0
    walk(statement, () => void count++)
    expect(count).toBeGreaterThan(MAX_EXPRESSION_DEPTH)
    expect(transform(statement, (node) => node)).toBe(statement)
    const error = refusal(make(MAX_EXPRESSION_DEPTH))
    expect(error).toMatchObject({ code: 'sql-limit', facts: { limit: MAX_EXPRESSION_DEPTH } })
    expect(error.message).toBe('Expression tree is too large (maximum depth 1000)')
  })

  const deep: Record<string, (n: number) => string> = {
    brackets: (n) => `SELECT ${'('.repeat(n)}1${')'.repeat(n)}`,
    calls: (n) => `SELECT ${'abs('.repeat(n)}1${')'.repeat(n)}`,
    subqueries: (n) => `SELECT ${'(SELECT '.repeat(n)}1${')'.repeat(n)}`,
    sources: (n) => `SELECT * FROM ${'('.repeat(n)}t${')'.repeat(n)}`,
    ctes: (n) => `${'WITH t AS ('.repeat(n)}SELECT 1${') SELECT 1'.repeat(n)}`,
    cases: (n) => `SELECT ${'CASE WHEN 1 THEN '.repeat(n)}1${' END'.repeat(n)}`,
  }
  test.each(Object.entries(deep))('nested %s are refused before the stack ends', (_name, make) => {
    expect(parseScript(make(50))).toHaveLength(1)
    expect(refusal(make(MAX_SQL_NESTING + 1))).toMatchObject({ code: 'sql-limit', facts: { limit: MAX_SQL_NESTING } })
    expect(refusal(make(100_000))).toMatchObject({ code: 'sql-limit' })
  })

  test('a caller with little stack left gets a typed error, and the parser is fine afterwards', () => {
    const text = `SELECT ${'('.repeat(100)}1${')'.repeat(100)}`
    const dig = (depth: number): unknown => {
      try {
        return dig(depth + 1)
      } catch (error) {
        if (!(error instanceof RangeError)) return error
        // The deepest frames can't even call; the first that can reports what the parser said.
        try {
          return parseScript(text)
        } catch (inner) {
          if (inner instanceof RangeError) throw inner
          return inner
        }
      }
    }
    expect(dig(0)).toMatchObject({ code: 'sql-limit' })
    expect(parseScript(text)).toHaveLength(1)
  })

  test('long is not deep', () => {
    const rows = Array.from({ length: 20_000 }, (_, at) => `(${at}, 'x')`).join(', ')
    expect(parseScript(`INSERT INTO t VALUES ${rows}`)).toHaveLength(1)
    expect(parseScript(`SELECT '${"''".repeat(500_000)}' IN (${'1, '.repeat(20_000)}1)`)).toHaveLength(1)
  })

  test('the cache forgets the least recently used text', () => {
    const first = parseStatement('SELECT 0'), second = parseStatement('SELECT 1')
    for (let n = 2; n < PARSE_CACHE_SIZE; n++) parseStatement(`SELECT ${n}`)
    expect(parseStatement('SELECT 0')).toBe(first)
    parseStatement('SELECT -1')
    parseStatement('SELECT -2')
    expect(parseStatement('SELECT 0')).toBe(first)
    expect(parseStatement('SELECT 1')).not.toBe(second)
  })
})
