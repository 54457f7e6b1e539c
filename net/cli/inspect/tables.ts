/** What the inspector asks of tables: their definition, a page of rows with who wrote them, one row with all its versions. Queries only. */
import type { SealedSpace } from 'sealdb'
import { SealError } from '../../../engine/errors.js'
import { readSchema } from '../results.js'
import { quoteName } from '../sql-text.js'
import type { Value } from './cells.js'

export const PAGE = 50

const READ = { readOnly: true } as const

export interface TableInfo {
  readonly name: string
  readonly type: string
  readonly sql: string
  /** Who can see each column: sealed, blind, plaintext. Of a table. */
  readonly columns: readonly { readonly name: string; readonly visibility: string }[]
  /** SQL of what identifies a row; of a view nothing. */
  readonly keys: readonly string[]
  /** That key was declared: only then are rows known by it through time, with their authors. */
  readonly declared: boolean
}

/** Throws `bad-argument` for a name that is no table or view. */
export async function readTable(space: SealedSpace, name: string): Promise<TableInfo> {
  const found = (await readSchema(space, name)).find(({ type }) => type === 'table' || type === 'view')
  if (!found) throw new SealError('bad-argument', `There is no table or view ${name}.`)
  const { rows: columns } = await space.query<{ name: string; visibility: string }>('SELECT name, visibility FROM sealdb_columns WHERE "table" = ?', [found.name], READ)
  const { rows: keys } = await space.query<{ name: string }>('SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk', [found.name], READ)
  return {
    name: found.name, type: found.type, sql: found.sql ?? '', columns, declared: keys.length > 0,
    keys: found.type === 'view' ? [] : keys.length === 0 ? ['rowid'] : keys.map((key) => quoteName(key.name)),
  }
}

export interface RowPage {
  readonly columns: readonly string[]
  readonly rows: readonly { readonly key: readonly Value[]; readonly author: Value; readonly version: Value; readonly values: readonly Value[] }[]
  readonly more: boolean
}

/** Rows from `offset` on, in order of their keys. */
export async function readRows(space: SealedSpace, { name, keys, declared }: TableInfo, offset: number): Promise<RowPage> {
  const table = quoteName(name)
  const provenance = keys.length === 0 ? [] : declared ? [`row_author(${table})`, `row_version(${table})`] : ['NULL', 'NULL']
  const before = [...keys, ...provenance]
  const order = keys.length === 0 ? '' : ` ORDER BY ${keys.join(', ')}`
  const { columns, rows } = await space.db.queryRaw(`SELECT ${[...before, '*'].join(', ')} FROM ${table}${order} LIMIT ${PAGE + 1} OFFSET ${offset}`, undefined, READ)
  return {
    columns: columns.slice(before.length), more: rows.length > PAGE,
    rows: rows.slice(0, PAGE).map((row) => ({ key: row.slice(0, keys.length), author: row[keys.length] ?? null, version: row[keys.length + 1] ?? null, values: row.slice(before.length) })),
  }
}

/** `WHERE` of one row. */
export function rowQuery({ name, keys }: TableInfo): string {
  if (keys.length === 0) throw new SealError('bad-argument', `Rows of the view ${name} have no key.`)
  return `SELECT * FROM ${quoteName(name)} WHERE ${keys.map((key) => `${key} = ?`).join(' AND ')}`
}
