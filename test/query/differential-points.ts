/**
 * Queries for single rows of what a program has left, for a database that loads tables in parts however small they are. Those that name keys come first:
 * the first that does not loads the whole table.
 */
import { type Sqlite } from '../../query/sqlite.js'
import { quoteName, quoteText } from '../../query/sqlite/names.js'

/** Of each table so many rows by their key, of each column so many values. */
const ROWS = 6
const VALUES = 3

/** In an order that mixes tables, so that each finds others loaded in part, or whole. */
export function pointQueries(plain: Sqlite): readonly string[] {
  const lists = plain.all("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name").map(([name]) => ofTable(plain, String(name)))
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat()
}

function ofTable(plain: Sqlite, table: string): string[] {
  const columns = plain.all('SELECT name, pk FROM pragma_table_xinfo(?)', [table]).map(([name, pk]) => ({ name: quoteName(String(name)), isKey: pk !== 0n }))
  const key = columns.filter(({ isKey }) => isKey).map(({ name }) => name)
  return [...byKey(plain, table, key.length > 0 ? key : ['rowid']), ...columns.flatMap(({ name }) => byColumn(plain, table, name))]
}

const select = (table: string, where: string): string => `SELECT * FROM ${quoteName(table)} WHERE ${where}`

/** Each row; and before it what only looks like its key, so that what was not found may not stand for it. */
function byKey(plain: Sqlite, table: string, key: readonly string[]): string[] {
  const quoted = key.map((name) => `quote(${name})`).join(', ')
  const keys = plain.all(`SELECT ${quoted} FROM ${quoteName(table)} ORDER BY ${quoted} LIMIT ${ROWS}`).map((row) => row.map(String))
  return keys.flatMap((literals) => {
    const where = (values: readonly string[]): string => select(table, key.map((name, i) => `${name} = ${String(values[i])}`).join(' AND '))
    return [...literals.flatMap((literal, i) => alike(literal).map((other) => where(literals.with(i, other)))), where(literals)]
  })
}

function byColumn(plain: Sqlite, table: string, column: string): string[] {
  const literals = plain.all(`SELECT quote(${column}) FROM ${quoteName(table)} GROUP BY 1 ORDER BY length(quote(${column})), 1 LIMIT ${VALUES}`).map(([text]) => String(text))
  const points = literals.flatMap((literal) => [...alike(literal).map((other) => `${other} IS ${column}`), `${column} = ${literal}`])
  return [...points, ...(literals.length > 1 ? [`${column} IN (${literals.join(', ')})`] : [])].map((where) => select(table, where))
}

/** The same text of another class. */
function alike(literal: string): readonly string[] {
  if (literal === 'NULL') return []
  if (/^[xX]'/.test(literal)) return [quoteText(literal.slice(2, -1).toLowerCase()), `CAST(${literal} AS TEXT)`]
  if (literal.startsWith("'")) return [`CAST(${literal} AS BLOB)`, `CAST(${literal} AS INTEGER)`]
  return [quoteText(`${literal}n`), quoteText(literal), `-${literal.replace(/^-/, '')}`]
}
