/**
 * Receipts in SQL: rows that a query finds, proved to somebody who is not a member; and what a verified receipt says, by column name.
 *
 * The names are bound: they lie sealed in the table's catalog object, which the receipt opens out of the same state.
 */
import { SealError } from '../engine/errors.js'
import { MAX_RECEIPT_ROWS } from '../engine/limits.js'
import { proveRows, type ProvedRow, type ProveOptions } from '../engine/space/prove.js'
import type { ReceiptRow, VerifiedReceipt } from '../engine/space/receipt.js'
import type { Space } from '../engine/space/space.js'
import { Binding } from './binding.js'
import { decodeBody } from './body.js'
import { findTable, isTable, readObject, readSchema, type Column, type SchemaObject, type TableData } from './catalog.js'
import type { Database } from './database.js'
import { canonicalKey } from './keys.js'
import type { Select, TableRef } from './sql/ast.js'
import { parseStatement } from './sql/parse.js'
import { printStatement } from './sql/print.js'
import { openSqlite } from './sqlite.js'
import { toResultValue, type Parameters, type ResultValue, type SqlValue } from './values.js'

/** A row that a receipt opens, and whose it is. */
export interface DisclosedRow {
  /** By column name. */
  readonly values: Readonly<Record<string, ResultValue>>
  /** Member that inserted it; member and device that wrote it as it is; the index of that entry. */
  readonly creator: number
  readonly author: number
  readonly device: number
  readonly version: number
}

/** What a receipt opens, by name. */
export interface DisclosedTable {
  readonly table: string
  /** The table's definition as SQLite has it. */
  readonly sql: string
  readonly columns: readonly string[]
  readonly rows: readonly DisclosedRow[]
}

/**
 * A receipt for the rows of `SELECT * FROM table WHERE …`. It opens those rows whole, and the table's definition: to whoever gets to see it, for good.
 * Throws `unsupported-sql` for any other query, `bad-argument` if nothing is found or it can't be proved yet.
 *
 * @example
 * const receipt = await prove(db, space, 'SELECT * FROM invoice WHERE id = ?', [7])
 */
export async function prove(db: Database, space: Space, text: string, parameters?: Parameters, options?: ProveOptions): Promise<Uint8Array> {
  const statement = parseStatement(text)
  const source = statement.kind === 'select' ? simpleSource(statement) : undefined
  if (statement.kind !== 'select' || source === undefined) throw new SealError('unsupported-sql', 'Expected SELECT * FROM one table WHERE …: a receipt is of whole rows.', { what: 'receipt' })
  const view = space.current.retain()
  try {
    const object = findTable(readSchema(view).schema, source.name.text)
    if (object === undefined) throw new SealError('bad-argument', 'Expected a shared table.')
    const { keyNames, keyCollations } = await formOf(object)
    const keys = (await db.queryRaw(selectKeys(statement, source, keyNames), parameters)).rows
    if (keys.length > MAX_RECEIPT_ROWS) throw new SealError('bad-argument', `A receipt has at most ${MAX_RECEIPT_ROWS} rows.`, { rows: keys.length })
    const rows = keys.flatMap((key) => [...view.rows(object.id, { kind: 'key', key: canonicalKey(key, keyCollations) })]).map(({ rowKey, version }): ProvedRow => ({ rowKey, version }))
    if (rows.length === 0) throw new SealError('bad-argument', 'No row was found, and a receipt proves none’s absence.')
    return await proveRows(space, object.id, rows, options)
  } finally {
    view.release()
  }
}

/** What a verified receipt says. Throws `bad-encoding` if its authors did not write what query can read. */
export function discloseRows(receipt: VerifiedReceipt): DisclosedTable {
  const object = readObject(receipt.table)
  if (typeof object === 'string' || !isTable(object)) throw new SealError('bad-encoding', 'Expected the definition of a table in the receipt.')
  const { columns } = object.data
  return { table: object.name, sql: object.sql, columns: columns.map(({ name }) => name), rows: receipt.rows.map((row) => disclose(object.data, row)) }
}

function disclose(data: TableData, row: ReceiptRow): DisclosedRow {
  const body = decodeBody(row.body)
  const read = ({ id, visibility, initial }: Column): SqlValue => {
    if (visibility === 'plaintext') return row.plain[data.shape.plain.findIndex((plain) => plain.id === id)] ?? null
    const at = body.ids.indexOf(id)
    return at < 0 ? initial : (body.values[at] as SqlValue)
  }
  const { creator, author, device, version } = row
  const rowid = body.ids[0] === 0 ? [['rowid', toResultValue(body.values[0] ?? null)] as const] : []
  return { values: Object.fromEntries([...rowid, ...data.columns.map((column) => [column.name, toResultValue(read(column))] as const)]), creator, author, device, version }
}

function simpleSource({ with: ctes, cores, limit }: Select): TableRef | undefined {
  const [core] = cores
  if (ctes !== null || limit !== null || cores.length !== 1 || core?.kind !== 'core') return undefined
  const [column] = core.columns
  const plain = core.columns.length === 1 && column?.kind === 'star' && core.groupBy.length === 0 && core.having === null
  const source = core.from?.joins.length === 0 ? core.from.first : undefined
  return plain && source?.kind === 'table' && source.args === null && source.asOf === null && source.schema === null ? source : undefined
}

function selectKeys(select: Select, source: TableRef, keyNames: readonly string[]): string {
  const span = { start: -1, end: -1 }
  const [core] = select.cores
  if (core?.kind !== 'core') throw new SealError('invariant', 'Expected a simple query. Please report this.')
  const columns = keyNames.map((name) => ({
    kind: 'result' as const, span, alias: null,
    expr: { kind: 'column' as const, span, schema: null, table: source.alias ?? source.name, name: { kind: 'name' as const, span, text: name.replace(/^"|"$/g, '').replaceAll('""', '"'), quote: '"' as const } },
  }))
  return printStatement({ ...select, orderBy: [], cores: [{ ...core, columns }] })
}

/** As SQLite describes the table, in a database of its own. */
async function formOf(object: SchemaObject & { readonly data: TableData }): Promise<Binding['form']> {
  const scratch = (await openSqlite()).database()
  try {
    scratch.exec(object.sql)
    return new Binding(scratch, object).form
  } finally {
    scratch.close()
  }
}

