/**
 * What a table is to whoever copies its rows: stored columns with their affinity, the row's identity, and the unique indexes beside it. Read from SQLite
 * itself by PRAGMA, so it can't differ from what SQLite does; but for a table's options.
 */
import { SealError } from '../../engine/errors.js'
import { type Collation } from '../keys.js'
import { type Database } from './database.js'
import { parseIndexText } from './index-text.js'
import { quoteName } from './names.js'

/** SQLite's column affinities; `any` is a STRICT table's ANY, which converts nothing. */
export type Affinity = 'text' | 'numeric' | 'integer' | 'real' | 'blob' | 'any'

export interface StoredColumn {
  readonly name: string
  readonly affinity: Affinity
}

export interface UniqueForm {
  readonly name: string
  /** SQL: a quoted column, or an expression over columns in brackets. */
  readonly terms: readonly { readonly sql: string; readonly column: boolean; readonly collation: Collation }[]
  /** SQL of a partial index's WHERE. */
  readonly where: string | undefined
}

export interface TableForm {
  readonly name: string
  readonly strict: boolean
  /** Without generated columns, in SQLite's order: what a row image holds. */
  readonly columns: readonly StoredColumn[]
  /** All, generated ones included. */
  readonly allColumns: readonly string[]
  /** Places of the declared key's columns in `columns`, in the key's order; empty where the rowid is the identity. */
  readonly keySlots: readonly number[]
  /** SQL names of the key's columns: quoted, or the rowid's. */
  readonly keyNames: readonly string[]
  readonly keyCollations: readonly Collation[]
  /** A name by which the rowid can be written, if the table has one; also where it is the key. */
  readonly rowid: string | undefined
  /** The key is the rowid, under a column's name or its own. */
  readonly keyIsRowid: boolean
  /** NOT NULL columns (quoted) with a DEFAULT, which REPLACE puts in place of NULL: its text if it is a literal. */
  readonly defaults: ReadonlyMap<string, string | undefined>
  /**
   * The declared key may hold NULL (SQLite's old habit in tables with a rowid). A row where it does has no key to be known by: its rowid joins the key,
   * after the key's columns.
   */
  readonly nullKey: boolean
  /** Besides the key. */
  readonly uniques: readonly UniqueForm[]
}

const LITERAL = /^(?:[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?|'(?:[^']|'')*'|[xX]'[0-9a-fA-F]*')$/

/** Throws `bad-argument` if there is no such table, or if nothing can name its rows. */
export function describeTable(db: Database, name: string): TableForm {
  const [table, sql] = (db.get("SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE", [name]) ?? []).map(String)
  const options = table === undefined || sql === undefined ? undefined : optionsOf(sql)
  if (table === undefined || options === undefined) throw new SealError('bad-argument', 'Expected the name of a table.')
  const { withoutRowid, strict } = options
  const infos = db.all("SELECT name, type, pk, hidden, \"notnull\", dflt_value FROM pragma_table_xinfo(?, 'main') ORDER BY cid", [table])
  const allColumns = infos.map(([column]) => String(column))
  const stored = infos.filter(([, , , hidden]) => hidden === 0n)
  const columns = stored.map(([column, type]) => ({ name: String(column), affinity: affinityOf(String(type), strict) }))
  const rowid = withoutRowid ? undefined : ['rowid', '_rowid_', 'oid'].find((word) => !allColumns.some((column) => column.toLowerCase() === word))
  const indexes = readIndexes(db, table)
  const declared = stored.map(([, , pk], slot) => ({ pk: Number(pk), slot })).filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
  const keySlots = declared.map(({ slot }) => slot)
  const primary = indexes.find(({ origin }) => origin === 'pk')
  if (keySlots.length === 0 && rowid === undefined) throw new SealError('bad-argument', 'Expected a table with a primary key or a rowid that has a name.')
  const keyIsRowid = keySlots.length === 0 || (!withoutRowid && primary === undefined)
  return {
    name: table,
    strict,
    columns,
    allColumns,
    keySlots,
    keyNames: keySlots.length === 0 ? [rowid as string] : keySlots.map((slot) => quoteName(columns[slot]?.name ?? '')),
    keyCollations: primary?.terms.map(({ collation }) => collation) ?? ['BINARY'],
    rowid,
    // An INTEGER PRIMARY KEY is the only declared key without an index.
    keyIsRowid,
    nullKey: !keyIsRowid && rowid !== undefined && stored.some(([, , pk, , notNull]) => pk !== 0n && notNull === 0n),
    defaults: new Map(stored.filter(([, , , , notNull, text]) => notNull === 1n && text !== null).map(([column, , , , , text]) => [quoteName(String(column)), LITERAL.test(String(text)) ? String(text) : undefined])),
    uniques: indexes.filter(({ origin }) => origin !== 'pk').map(({ name: index, terms, where }) => ({ name: index, terms, where })),
  }
}

/**
 * From the text: PRAGMA table_list knows, too, but compiles every view of the schema on the way, as often as there are tables if a view can't be. A member's
 * views that name each other twice would cost everybody minutes. Undefined for a virtual table.
 */
function optionsOf(sql: string): { readonly withoutRowid: boolean; readonly strict: boolean } | undefined {
  if (/^create\s+virtual\b/i.test(sql)) return undefined
  const bare = sql.replace(/--[^\n]*|\/\*[^]*?(?:\*\/|$)|'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]/g, ' ')
  // Options stand after the last bracket, and have none.
  const options = bare.slice(bare.lastIndexOf(')') + 1)
  return { withoutRowid: /\bwithout\s+rowid\b/i.test(options), strict: /\bstrict\b/i.test(options) }
}

/** SQLite's rules, in their order. */
export function affinityOf(type: string, strict: boolean): Affinity {
  const upper = type.toUpperCase()
  if (strict) return upper === 'ANY' ? 'any' : upper === 'REAL' ? 'real' : upper === 'TEXT' ? 'text' : upper === 'BLOB' ? 'blob' : 'integer'
  if (upper.includes('INT')) return 'integer'
  if (/CHAR|CLOB|TEXT/.test(upper)) return 'text'
  if (upper === '' || upper.includes('BLOB')) return 'blob'
  return /REAL|FLOA|DOUB/.test(upper) ? 'real' : 'numeric'
}

function readIndexes(db: Database, table: string): readonly (UniqueForm & { readonly origin: string })[] {
  const listed = db.all("SELECT l.name, l.origin, l.partial, s.sql FROM pragma_index_list(?, 'main') l LEFT JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = l.name WHERE l.\"unique\" ORDER BY l.seq", [table])
  return listed.map(([name, origin, partial, sql]) => {
    const parts = db.all("SELECT name, cid, coll FROM pragma_index_xinfo(?, 'main') WHERE key ORDER BY seqno", [String(name)] as const)
    const text = partial === 1n || parts.some(([, cid]) => cid === -2n) ? parseIndexText(String(sql)) : undefined
    const terms = parts.map(([column, cid, collation], i) => ({
      sql: cid === -2n ? `(${text?.terms[i] ?? ''})` : quoteName(String(column)),
      column: cid !== -2n,
      collation: asCollation(String(collation)),
    }))
    return { name: String(name), origin: String(origin), terms, where: text?.where }
  })
}

function asCollation(name: string): Collation {
  const upper = name.toUpperCase()
  if (upper === 'BINARY' || upper === 'NOCASE' || upper === 'RTRIM') return upper
  throw new SealError('invariant', 'SQLite knows a collation that nobody defined.')
}
