/** Every statement of the sqllogictest files: what SQLite takes parses, what it calls a syntax error doesn't, and printing keeps the tree. */
import initSqlJs, { type Database, type SqlJsStatic } from 'sql.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseScript, splitStatements } from '../../query/sql/parse.js'
import { printStatement } from '../../query/sql/print.js'
import { SLT_PRESENT, sltFiles, sltRecords } from './parse-slt.js'
import { sameTree } from './parse-support.js'

/** SQLite finds these while it parses; we call them what they are, errors of syntax. */
const SYNTAX = /syntax error|incomplete input|unrecognized token|unknown join type|unknown table option/

const messageOf = (run: () => unknown): string | null => {
  try {
    run()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

let SQL: SqlJsStatic
beforeAll(async () => {
  SQL = await initSqlJs()
})

describe.skipIf(!SLT_PRESENT)('the sqllogictest corpus (../shared/fixtures/slt)', () => {
  test('parses, refuses what SQLite refuses, and prints to the same tree', () => {
    const db = new SQL.Database()
    const oracle = (sql: string): string | null => messageOf(() => db.prepare(sql).free())
    const seen = new Set<string>(), shapes = new Set<string>()
    const wrong: string[] = []
    for (const file of sltFiles()) {
      for (const { sql, fails } of sltRecords(file)) {
        if (seen.has(sql)) continue
        seen.add(sql)
        let printed = ''
        const ours = messageOf(() => {
          const tree = parseScript(sql)
          // Thousands differ in their numbers alone: those parse, and one of each shape is printed.
          const shape = sql.replace(/\d+/g, '0')
          if (shapes.has(shape)) return
          shapes.add(shape)
          printed = tree.map(printStatement).join('; ')
          if (!sameTree(parseScript(printed), tree)) wrong.push(`${file}: printed differently\n  ${sql}\n  ${printed}`)
        })
        if (ours === null && !fails) continue
        const theirs = oracle(sql)
        const refused = theirs !== null && SYNTAX.test(theirs)
        if (refused !== (ours !== null)) wrong.push(`${file}: SQLite says ${theirs}, we say ${ours}\n  ${sql}\n  ${printed}`)
      }
    }
    expect(wrong.slice(0, 10)).toEqual([])
    expect(seen.size).toBeGreaterThan(30_000)
    expect(shapes.size).toBeGreaterThan(15_000)
  })

  const sampled = sltFiles().filter((file, at) => file.startsWith('turso') ? at % 3 === 0 : file.startsWith('sqlite-tcl') ? at % 4 === 0 : at % 20 === 0)
  test(`printed SQL gives the same rows in SQLite (${sampled.length} files)`, () => {
    const wrong: string[] = []
    let compared = 0
    for (const file of sampled) {
      let plain = new SQL.Database(), printed = new SQL.Database()
      let count = 0
      for (const { kind, sql, conditional } of sltRecords(file)) {
        if (kind === 'reset') {
          plain.close()
          printed.close()
          plain = new SQL.Database()
          printed = new SQL.Database()
        }
        if (conditional || sql === '' || VOLATILE.test(sql) || ++count > 400) continue
        let text: string
        try {
          text = splitStatements(sql).map((piece) => parseScript(piece.text).map(printStatement).join(';')).join(';')
        } catch {
          continue // refused: the other test says whether rightly
        }
        compared++
        const before = outcome(plain, sql), after = outcome(printed, text)
        if (before !== after) wrong.push(`${file}\n  ${sql}\n  ${text}\n  ${before.slice(0, 300)}\n  ${after.slice(0, 300)}`)
      }
      plain.close()
      printed.close()
    }
    expect(wrong.slice(0, 5)).toEqual([])
    expect(compared).toBeGreaterThan(5_000)
  })
})

/** Clocks, dice, and the catalog's own text of a statement, which printing changes. */
const VOLATILE = /random|now|current_|sqlite_(master|schema)|julianday|unixepoch|sqlite_stat|changes|vacuum|attach|explain|dbstat|sqlite_offset/i

function outcome(db: Database, sql: string): string {
  try {
    return JSON.stringify(db.exec(sql).map(({ values }) => values))
  } catch {
    return 'error'
  }
}
