/** The parser against SQLite itself: random operators, every keyword in every place, statements with a token changed. */
import initSqlJs, { type Database } from 'sql.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { SqlGrammar } from '../../query/sql/grammar.js'
import { parseScript, parseStatement } from '../../query/sql/parse.js'
import { printStatement } from '../../query/sql/print.js'
import { K, lex } from '../../query/sql/tokens.js'
import { SLT_PRESENT, sltFiles, sltRecords } from './parse-slt.js'
import { sameTree, shape } from './parse-support.js'

const SYNTAX = /syntax error|incomplete input|unrecognized token|unknown join type|unknown table option/

let db: Database
beforeAll(async () => {
  const SQL = await initSqlJs()
  db = new SQL.Database()
  db.run('CREATE TABLE t (a, b, c); CREATE TABLE u (a, d)')
})
const prepare = (sql: string): string => {
  try {
    db.prepare(sql).free()
    return 'ok'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
/** The one value of a query, or what SQLite says when it runs. */
const value = (sql: string): string => {
  try {
    return JSON.stringify(db.exec(sql)[0]?.values)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
const parses = (sql: string): boolean => {
  try {
    parseScript(sql)
    return true
  } catch {
    return false
  }
}

/** mulberry32: small and seeded. */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below)
  }
}

describe('precedence', () => {
  const pick = random(2026)
  const of = <T>(items: readonly T[]): T => items[pick(items.length)] as T
  const OPERATORS = [
    '+', '-', '*', '/', '%', '||', '<<', '>>', '&', '|', '<', '<=', '>', '>=', '=', '==', '!=', '<>', 'IS', 'IS NOT', 'AND', 'OR', 'LIKE',
    'NOT LIKE', 'GLOB', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM', 'BETWEEN 2 AND', 'NOT BETWEEN -1 AND', '<', '=', 'AND', 'OR',
  ]
  const POSTFIX = ['ISNULL', 'NOTNULL', 'NOT NULL', 'IN (1, 2)', 'NOT IN (0)', 'COLLATE NOCASE', "LIKE '1%' ESCAPE '!'"]
  const PREFIX = ['NOT', '-', '+', '~', 'NOT', '- -']
  const operand = (): string => (pick(3) === 0 ? `${of(PREFIX)} ` : '') + of(['0', '1', '2', '3', "'a'", "'1'", 'NULL', '1.5', '(1 + 1)'])
  const expression = (): string => {
    let text = operand()
    for (let n = 1 + pick(5); n > 0; n--) text += pick(4) === 0 ? ` ${of(POSTFIX)}` : ` ${of(OPERATORS)} ${operand()}`
    return text
  }
  test('4,000 random expressions have the value that SQLite gives them', () => {
    for (let n = 0; n < 4_000; n++) {
      const text = expression()
      const statement = parseStatement(`SELECT ${text}`)
      const core = statement.kind === 'select' ? statement.cores[0] : undefined
      const column = core?.kind === 'core' ? core.columns[0] : undefined
      const read = column?.kind === 'result' ? shape(column.expr) : ''
      const [plain, bracketed, printed] = [`SELECT ${text}`, `SELECT ${read}`, printStatement(statement)].map(value)
      expect({ text, read, value: bracketed, printed }).toEqual({ text, read, value: plain, printed: plain })
    }
  })
})

describe('keywords', () => {
  const PLACES = [
    'CREATE TABLE # (a)', 'SELECT 1 #', 'SELECT 1 AS #', 'SELECT # FROM t', 'SELECT #(1) FROM t', 'SELECT * FROM t #', 'SELECT * FROM t AS #',
    'SELECT t.# FROM t', 'CREATE TABLE z (a #)', 'CREATE TABLE z (#)', 'SELECT * FROM t JOIN # ON 1', 'WITH # AS (SELECT 1) SELECT 1',
    'SELECT sum(a) OVER # FROM t', 'SELECT a COLLATE # FROM t', 'PRAGMA x = #', 'SAVEPOINT #', 'CREATE TABLE z (a DEFAULT #)', 'BEGIN #',
    'SELECT a # b FROM t', 'UPDATE t SET # = 1', 'INSERT INTO t (#) VALUES (1)', 'SELECT max(a) FILTER (WHERE #) FROM t', 'ROLLBACK TO #',
    'SELECT 1 WINDOW # AS (ORDER BY 1)', 'SELECT a FROM t ORDER BY a #', 'CAST(a AS #)', 'SELECT CAST(a AS #) FROM t', 'ALTER TABLE t ADD #',
    'SELECT sum(a) OVER (#) FROM t', 'SELECT sum(a) OVER (ORDER BY a ROWS #) FROM t', 'DROP TABLE IF EXISTS #', 'SELECT # t',
  ]
  /** Words that have a meaning of their own here: SQLite takes them for names. */
  const OURS = new Set(['PLAINTEXT', 'BLIND', 'POLICY', 'VERIFIED'])
  test.each(PLACES)('%s', (place) => {
    const wrong: string[] = []
    for (const word of [...Object.keys(K), 'PLAIN', '"quoted"', "'text'", '[x]', '`y`', '1', '?', 'x1']) {
      if (OURS.has(word)) continue
      const sql = place.replace('#', word), theirs = prepare(sql)
      if (SYNTAX.test(theirs) === parses(sql)) wrong.push(`${sql}: ${theirs}`)
    }
    expect(wrong).toEqual([])
  })

  test('the grammar is ambiguous only where a keyword may also be a name', () => {
    let message = ''
    try {
      new SqlGrammar(true)
    } catch (error) {
      message = error instanceof Error ? error.message : String(error)
    }
    const clashes = [...message.matchAll(/in <OR\d*> inside <(\w+)> Rule,\n<(\w+)>/g)].map(([, rule, word]) => `${rule} ${word}`)
    expect(message.match(/Ambiguous Alternatives|-{9,}/g)?.length).toBe(2 * clashes.length - 1)
    expect(new Set(clashes)).toEqual(new Set([
      'operand CURRENT_TIMESTAMP', 'operand CAST', 'operand RAISE', 'inSet WITH', 'bracket WITH', 'frameBound UNBOUNDED', 'frameBound CURRENT',
      'bracketSource WITH', 'defaultValue CURRENT_TIMESTAMP',
    ]))
  })
})

describe.skipIf(!SLT_PRESENT)('statements of the corpus with a token changed (../shared/fixtures/slt)', () => {
  /** SQLite stops reading at these, so what follows them stays unseen. */
  const EARLY = /no such|VALUES must|reserved|unknown|duplicate|more than one|AUTOINCREMENT|not constant|element has|must be unqualified|after column|undefined|cannot use|should come|is required|qualified table|already/i
  test('are taken and refused alike', () => {
    const pick = random(7)
    const pool = sltFiles().filter((file, at) => /^(turso|sqlite-tcl)/.test(file) && at % 5 === 0)
      .flatMap((file) => [...sltRecords(file)].map(({ sql }) => sql).filter((sql) => sql.length > 0 && sql.length < 400))
    const wrong: string[] = []
    let refused = 0
    for (let n = 0; n < 6_000; n++) {
      const words = lex(pool[pick(pool.length)] ?? '').map(({ image }) => image), at = pick(words.length), other = words[pick(words.length)] ?? ''
      switch (pick(4)) {
        case 0: words.splice(at, 1); break
        case 1: words.splice(at, 0, other); break
        case 2: words[at] = other; break
        default: words.splice(at, 0, lex(pool[pick(pool.length)] ?? '')[0]?.image ?? '')
      }
      const sql = words.join(' ')
      if (/;|\bof\b/i.test(sql)) continue
      const theirs = prepare(sql), ours = parses(sql)
      if (SYNTAX.test(theirs)) refused++
      if (theirs === 'ok' ? !ours : SYNTAX.test(theirs) ? ours : !ours && !EARLY.test(theirs)) wrong.push(`${sql}: ${theirs}`)
      if (ours) {
        const tree = parseScript(sql)
        if (!sameTree(parseScript(tree.map(printStatement).join(';')), tree)) wrong.push(`printed: ${sql}`)
      }
    }
    expect(wrong.slice(0, 10)).toEqual([])
    expect(refused).toBeGreaterThan(1_000)
  })
})
