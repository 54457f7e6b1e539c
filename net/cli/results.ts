/** Running statements and showing what they give. */
import type { SealedSpace } from 'sealdb'
import { SealError } from '../../engine/errors.js'
import { formatTable, forTerminal, toJson, type Output } from './output.js'

export const MODES = ['table', 'json', 'csv'] as const
export type Mode = (typeof MODES)[number]

/** What runs SQL: a space, or an earlier state of one. */
export type Target = Pick<SealedSpace, 'query'>

/** Runs one statement and prints its rows, or how many it changed. Returns the milliseconds it took. */
export async function runStatement(target: Target, sql: string, output: Output, mode: Mode): Promise<number> {
  const started = performance.now()
  const { rows, columns, changes } = await target.query(sql)
  const took = performance.now() - started
  if (columns.length === 0) {
    if (changes > 0 && mode === 'table') output.print(output.style('dim', `${changes} ${changes === 1 ? 'row' : 'rows'} changed`))
  } else if (mode === 'csv') output.print(output.terminal ? forTerminal(formatCsv(rows, columns)) : formatCsv(rows, columns))
  else if (mode === 'json') output.print(toJson(rows))
  else output.print(formatTable(rows, columns))
  return took
}

/** RFC 4180; NULL is an empty field, a blob hexadecimal. */
export function formatCsv(rows: readonly Readonly<Record<string, unknown>>[], columns: readonly string[]): string {
  const line = (cells: readonly unknown[]): string => cells.map(csvCell).join(',')
  return [line(columns), ...rows.map((row) => line(columns.map((column) => row[column])))].join('\r\n')
}

function csvCell(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : typeof value === 'string' ? value : String(value as number | bigint)
  // An empty text is not NULL.
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Names and SQL of what a space has, as sqlite_schema has it. */
export async function readSchema(target: Target, name?: string): Promise<readonly { readonly type: string; readonly name: string; readonly sql: string | null }[]> {
  const { rows } = await target.query<{ type: string; name: string; sql: string | null }>(
    `SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid`,
  )
  const found = name === undefined ? rows : rows.filter((row) => row.name.toLowerCase() === name.toLowerCase())
  if (name !== undefined && found.length === 0) throw new SealError('bad-argument', `There is no table, index, view or trigger ${name}.`)
  return found
}
