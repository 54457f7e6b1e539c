/** The grammar by example: precedence, our words, names, limits. The corpus is in `parse-corpus.test.ts`. */
import { describe, expect, test } from 'vitest'
import type { Select, Statement } from '../../query/sql/ast.js'
import { parseScript, parseStatement, splitStatements } from '../../query/sql/parse.js'
import { shape } from './parse-support.js'

const query = (text: string): Select => parseStatement(text) as Select
function read(text: string): string {
  const core = query(`SELECT ${text}`).cores[0]
  const column = core?.kind === 'core' ? core.columns[0] : undefined
  return column?.kind === 'result' ? shape(column.expr) : 'none'
}

describe('precedence', () => {
  test.each([
    ['1 + 2 * 3', '(1 + (2 * 3))'],
    ['1 - 2 - 3', '((1 - 2) - 3)'],
    ['a or b and not c = d', '(a or (b and (not (c = d))))'],
    ['a = not b = c and d', '((a = (not (b = c))) and d)'],
    ['- a || b collate nocase', "((- a) || (b collate nocase))"],
    ['x between 1 and 2 and y', '((x between 1 and 2) and y)'],
    ['x not between a between b and c and d or e', '((x not between (a between b and c) and d) or e)'],
    ["a like b escape c and d", '((a like b escape c) and d)'],
    ['a not like b || c escape d', '(a not like (b || c) escape d)'],
    ['a is not null is null', '((a is not NULL) is NULL)'],
    ['a is not distinct from b', '(a is not distinct from b)'],
    ['not a in (1, 2) isnull', '(not ((a in (1, 2)) isnull))'],
    ['a + b not in t not null', '(((a + b) not in table) notnull)'],
    ["a -> 'b' ->> 'c' || d", "(((a -> 'b') ->> 'c') || d)"],
    ['a << 1 | b & ~c', '(((a << 1) | b) & (~ c))'],
    ['(a, b) = (select 1, 2)', '((a, b) = subquery)'],
    ['1 < 2 == 3 <> 4', '(((1 < 2) = 3) != 4)'],
    ['?, :a', '?#1'],
    ['?3 + ? + :a + :a + @a', '((((?3#3 + ?#4) + :a#5) + :a#5) + @a#6)'],
    ['current(1) + match', '(current(1) + match)'],
    ["'t'.a", 't.a'],
  ])('%s', (text, expected) => {
    expect(read(text)).toBe(expected)
  })

  test.each(['a escape b', 'x between 1 or 2 and 3', '1 +', 'not', 'a in', '(1', 'count(* , 1)', 'cast(a)', 'raise(abort)', 'f(*) .x'])('refuses %s', (text) => {
    expect(() => read(text)).toThrow(/syntax error|incomplete input/)
  })
})

describe('our words', () => {
  test('PLAINTEXT and BLIND are constraints, and still names', () => {
    const statement = parseStatement('CREATE TABLE t (plaintext INTEGER PLAINTEXT, b TEXT COLLATE NOCASE BLIND NOT NULL, blind)')
    expect(statement.kind === 'create-table' && statement.columns.map(({ name, type, constraints }) =>
      [name.text, type?.words.map(({ text }) => text).join(' '), ...constraints.map((c) => c.kind === 'visibility' ? c.visibility : c.kind)])).toEqual([
      ['plaintext', 'INTEGER', 'plaintext'], ['b', 'TEXT', 'collate-constraint', 'blind', 'not-null'], ['blind', undefined],
    ])
  })

  test('policies', () => {
    const text = 'CREATE POLICY p ON t FOR UPDATE TO writer, admin USING (owner = current_member()) WITH CHECK (done = 0)'
    const statement = parseStatement(text)
    expect(statement).toMatchObject({ kind: 'create-policy', command: 'update', roles: [{ text: 'writer' }, { text: 'admin' }] })
    expect(statement.kind === 'create-policy' && statement.using !== null && text.slice(statement.using.span.start, statement.using.span.end))
      .toBe('owner = current_member()')
    expect(parseStatement('CREATE POLICY p ON t')).toMatchObject({ command: 'all', roles: [], using: null, check: null })
    expect(parseStatement('DROP POLICY IF EXISTS p ON t')).toMatchObject({ kind: 'drop-policy', ifExists: true, name: { text: 'p' } })
    expect(() => parseStatement('CREATE POLICY p ON t FOR SELECT')).toThrow('near "SELECT": syntax error')
    expect(() => parseStatement('DROP POLICY p')).toThrow('incomplete input')
  })

  test('AS OF takes a number or a parameter; otherwise it is the alias "of"', () => {
    const table = (text: string): unknown => {
      const core = query(text).cores[0]
      return core?.kind === 'core' ? core.from?.first : undefined
    }
    expect(table('SELECT * FROM t AS OF 12 AS x')).toMatchObject({ asOf: { raw: '12' }, alias: { text: 'x' } })
    expect(table('SELECT * FROM t AS OF :n')).toMatchObject({ asOf: { name: ':n' }, alias: null })
    expect(table('SELECT * FROM t AS OF WHERE 1')).toMatchObject({ asOf: null, alias: { text: 'OF' } })
    expect(() => table('SELECT * FROM t AS OF a.b')).toThrow('syntax error')
  })

  test('EXPLAIN VERIFIED', () => {
    expect(parseStatement('EXPLAIN VERIFIED SELECT 1')).toMatchObject({ kind: 'explain', mode: 'verified', statement: { kind: 'select' } })
    expect(() => parseStatement('EXPLAIN VERIFIED EXPLAIN SELECT 1')).toThrow('syntax error')
  })
})

describe('statements', () => {
  test('a script has spans into its text; empty statements do not count', () => {
    const text = ' ;SELECT 1; -- one; two\n CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; DELETE FROM u; END;;'
    expect(parseScript(text).map(({ kind, span }: Statement) => [kind, text.slice(span.start, span.end)])).toEqual([
      ['select', 'SELECT 1'],
      ['create-trigger', 'CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; DELETE FROM u; END'],
    ])
    expect(() => parseScript('SELECT 1 SELECT 2')).toThrow('near "SELECT": syntax error')
  })

  test('one statement means one', () => {
    expect(parseStatement(' SELECT 1 ;')).toBe(parseStatement(' SELECT 1 ;'))
    expect(() => parseStatement('')).toThrow('incomplete input')
    expect(() => parseStatement('SELECT 1; SELECT 2')).toThrow('One statement expected')
  })

  test('a script is cut without parsing, so that what comes before a fault can run', () => {
    const text = ' ;SELECT 1; -- one; two\n CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; FROB; "a;b"'
    const pieces = splitStatements(text)
    expect(pieces.map((piece) => piece.text)).toEqual([
      'SELECT 1', 'CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END', 'FROB', '"a;b"',
    ])
    for (const { text: piece, start } of pieces) expect(text.slice(start, start + piece.length)).toBe(piece)
    expect(splitStatements('-- nothing')).toEqual([])
  })

  test('spans of operands include brackets only above them', () => {
    const text = 'SELECT ((a) + b) * -(c), [x y]."z"'
    const core = query(text).cores[0]
    const at = (span: { start: number, end: number }): string => text.slice(span.start, span.end)
    const [first, second] = core?.kind === 'core' ? core.columns : []
    expect(first?.kind === 'result' && at(first.expr.span)).toBe('((a) + b) * -(c)')
    expect(first?.kind === 'result' && first.expr.kind === 'binary' && [at(first.expr.left.span), at(first.expr.right.span)]).toEqual(['(a) + b', '-(c)'])
    expect(second?.kind === 'result' && at(second.span)).toBe('[x y]."z"')
  })
})
