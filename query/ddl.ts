/**
 * Definitions, by difference: SQLite runs the text without our words, then what it keeps in sqlite_schema is compared with what was known. So renaming
 * rewrites views and triggers, dropping cascades and CREATE TABLE AS works, because SQLite does them.
 */
import { SealError } from '../engine/errors.js'
import { type SqlValue } from '../engine/codec/value.js'
import { MAX_DEFINITION_LENGTH, MAX_INDEXES, MAX_PLAIN_COLUMNS } from '../engine/limits.js'
import { type CatalogChange, type IndexShape, type ObjectId, type PlainColumn, type PlainType } from '../engine/space/types.js'
import { flawOf } from './catalog-flaws.js'
import { findObject, nameOf, sameObject, toCatalogObject, type Column, type ObjectType, type Schema, type SchemaObject, type TableData, type Visibility } from './catalog.js'
import { type Collation } from './keys.js'
import { type ColumnDef, type Statement } from './sql/ast.js'
import { foldName } from './sql/names.js'
import { parseStatement } from './sql/parse.js'
import { findAll } from './sql/visit.js'
import { type Sqlite } from './sqlite.js'
import { describeTable, type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

/** The text without PLAINTEXT and BLIND. */
export function withoutOurWords(text: string, statement: Statement): string {
  const words = findAll(statement, 'visibility').sort((a, b) => b.span.start - a.span.start)
  return words.reduce((rest, { span }) => rest.slice(0, span.start).trimEnd() + rest.slice(span.end), text)
}

/**
 * The schema after `statement` has run. `nextId` gives ids to what is new. Throws `unsupported-sql` if what was made can't be shared: then the
 * statement has to be rolled back.
 */
export function schemaAfter(db: Sqlite, before: Schema, statement: Statement, nextId: () => ObjectId): Schema {
  const renamed = statement.kind === 'alter-table' && statement.action.kind === 'rename-table' ? { from: statement.name.name.text, to: statement.action.to.text } : undefined
  const found = db.all("SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND (substr(name, 1, 7) <> 'sqlite_' OR name = 'sqlite_sequence') ORDER BY rowid")
    .map(([type, name, table, sql]) => ({ type: String(type) as ObjectType, name: String(name), table: String(table), sql: String(sql) }))
  const after = new Map<ObjectId, SchemaObject>()
  const changed = new Set<string>()
  const kept = new Set<ObjectId>()
  const fresh: SchemaObject[] = []
  for (const { type, name, table, sql } of found) {
    const oldName = renamed !== undefined && type === 'table' && foldName(name) === foldName(renamed.to) ? renamed.from : name
    const old = findObject(before, type, oldName)
    const same = old !== undefined && old.sql === sql && old.name === name && old.table === table
    if (!same && type !== 'view' && type !== 'trigger') changed.add(foldName(table))
    if (old === undefined) fresh.push({ id: nextId(), type, name, table, sql, parent: undefined, data: undefined })
    else {
      kept.add(old.id)
      after.set(old.id, same ? old : { ...old, name, table, sql })
    }
  }
  // An index that is gone changes its table, too.
  for (const { id, type, table } of before.values()) if (type === 'index' && !kept.has(id)) changed.add(foldName(renamed !== undefined && foldName(table) === foldName(renamed.from) ? renamed.to : table))
  for (const object of fresh) after.set(object.id, object)
  for (const [id, object] of after) {
    if (object.type === 'table' && changed.has(foldName(object.table))) after.set(id, { ...object, data: tableData(db, object, statement) })
  }
  for (const [id, object] of after) {
    if (object.parent !== undefined || (object.type !== 'index' && object.type !== 'trigger')) continue
    const parent = findObject(after, 'table', object.table) ?? findObject(after, 'view', object.table)
    after.set(id, { ...object, parent: parent?.id })
  }
  for (const [id, object] of after) if (before.get(id) !== object) refuseFlaw(object)
  return new Map([...after].sort(([a], [b]) => a - b))
}

const FLAWS = {
  name: 'Names that begin with sqlite_, sealdb_ or pragma_ are reserved, and so is what belongs to sealdb_documents.',
  text: 'The definition is not one that everybody could run as it is.',
  check: 'A CHECK that asks for chance, the time, the connection or who asks would hold on one device and not on another.',
} as const

/** What others would leave out is not made. */
function refuseFlaw(object: SchemaObject): void {
  if (object.sql.length > MAX_DEFINITION_LENGTH) throw new SealError('sql-limit', `A definition has at most ${MAX_DEFINITION_LENGTH} characters.`, { max: MAX_DEFINITION_LENGTH })
  const flaw = flawOf(object)
  if (flaw !== undefined) throw new SealError('unsupported-sql', FLAWS[flaw], { what: `definition: ${flaw}` })
}

/** Tables whose rows must all be written again, for an index or a plaintext column that they lack. */
export function mustRewrite(before: SchemaObject | undefined, after: SchemaObject): boolean {
  if (before?.data === undefined || after.data === undefined) return false
  const old = before.data.shape
  const { shape, columns } = after.data
  return shape.indexes.some((index) => index.kind === 'blind' && !old.indexes.some(({ id }) => id === index.id))
    || shape.plain.some(({ id }) => !old.plain.some((plain) => plain.id === id) && columns.some((column) => column.id === id && column.initial !== null))
}

/**
 * What an entry has to say for the catalog to go from one schema to another. Ids that were given and are used no more are filled in, since the
 * engine gives them without gaps; `other` says which of them are no object of SQLite's.
 */
export function catalogChanges(before: Schema, after: Schema, firstNew: ObjectId, nextNew: ObjectId, other: (id: ObjectId) => CatalogChange | undefined = () => undefined): CatalogChange[] {
  const changes: CatalogChange[] = []
  const gone = [...before.values()].filter(({ id }) => !after.has(id))
  // What belongs to something goes before it.
  for (const { id } of gone.sort((a, b) => Number(a.parent === undefined) - Number(b.parent === undefined))) changes.push({ kind: 'drop', id })
  changes.push(...replacements(before, after))
  for (let id = firstNew; id < nextNew; id++) {
    const object = after.get(id)
    const what = other(id)
    if (what !== undefined) changes.push(what)
    else if (object !== undefined) changes.push({ kind: 'create', object: toCatalogObject(object), name: nameOf(object) })
    else changes.push({ kind: 'create', object: { id, kind: 'other', sealed: new Uint8Array(0) }, name: `unused:${id}` }, { kind: 'drop', id })
  }
  return changes
}

function replacements(before: Schema, after: Schema): CatalogChange[] {
  const changes: CatalogChange[] = []
  const moved: { readonly object: SchemaObject; readonly from: string; readonly to: string }[] = []
  for (const object of after.values()) {
    const old = before.get(object.id)
    if (old === undefined || sameObject(old, object)) continue
    const [from, to] = [nameOf(old), nameOf(object)]
    if (from === to) changes.push({ kind: 'replace', object: toCatalogObject(object) })
    else moved.push({ object, from, to })
  }
  // Names that change places: each is given up before it is taken.
  const swapped = moved.filter(({ to }) => moved.some(({ from }) => from === to))
  for (const { object } of swapped) changes.push({ kind: 'replace', object: toCatalogObject(object), name: `moving:${object.id}` })
  for (const { object, to } of moved) changes.push({ kind: 'replace', object: toCatalogObject(object), name: to })
  return changes
}

function tableData(db: Sqlite, object: SchemaObject, statement: Statement): TableData {
  const form = describeTable(db, object.name)
  const old = object.data
  const said = visibilities(statement, object.name)
  const renamed = statement.kind === 'alter-table' && statement.action.kind === 'rename-column' && foldName(statement.name.name.text) === foldName(object.name) ? statement.action : undefined
  const known = new Map(old?.columns.map((column) => [foldName(renamed !== undefined && foldName(column.name) === foldName(renamed.column.text) ? renamed.to.text : column.name), column]))
  let nextColumn = old?.nextColumn ?? 1
  const columns = form.columns.map(({ name }): Column => {
    const column = known.get(foldName(name))
    if (column !== undefined) return column.name === name ? column : { ...column, name }
    return { id: nextColumn++, name, visibility: said.get(foldName(name)) ?? 'sealed', initial: old === undefined ? null : initialValue(db, object.name, name) }
  })
  for (const name of said.keys()) {
    if (!columns.some((column) => foldName(column.name) === name)) throw new SealError('unsupported-sql', 'A generated column is not stored, so it is neither PLAINTEXT nor BLIND.', { what: 'generated column' })
  }
  const plain = plainColumns(db, object.name, form, columns, old)
  const { indexes, collations, nextIndex } = engineIndexes(db, object, form, columns)
  const isPlain = (slot: number): boolean => columns[slot]?.visibility === 'plaintext'
  const key = old?.shape.key ?? (form.keySlots.length > 0 && form.keySlots.every(isPlain) ? 'plain' : 'blinded')
  return { shape: { key, plain, indexes, policies: old?.shape.policies ?? [] }, columns, nextColumn, collations, nextIndex }
}

/** Our words in the statement, by folded name of the column. */
function visibilities(statement: Statement, table: string): ReadonlyMap<string, Visibility> {
  const columns: readonly ColumnDef[] =
    statement.kind === 'create-table' && foldName(statement.name.name.text) === foldName(table) ? statement.columns
    : statement.kind === 'alter-table' && statement.action.kind === 'add-column' && foldName(statement.name.name.text) === foldName(table) ? [statement.action.column]
    : []
  const said = new Map<string, Visibility>()
  for (const { name, constraints } of columns) {
    for (const constraint of constraints) {
      if (constraint.kind !== 'visibility') continue
      if (said.has(foldName(name.text))) throw new SealError('unsupported-sql', 'A column is PLAINTEXT or BLIND or, without a word, sealed: not two of them.', { what: 'visibility' })
      said.set(foldName(name.text), constraint.visibility)
    }
  }
  return said
}

/** What the rows that were there have in a column that was added: SQLite shows it. */
function initialValue(db: Sqlite, table: string, column: string): SqlValue {
  return db.get(`SELECT ${quoteName(column)} FROM main.${quoteName(table)} LIMIT 1`)?.[0] ?? null
}

/** Dropped ones stay, empty: verifiers keep their places. */
function plainColumns(db: Sqlite, table: string, form: TableForm, columns: readonly Column[], old: TableData | undefined): PlainColumn[] {
  const notNull = new Map(db.all("SELECT name, \"notnull\" FROM pragma_table_xinfo(?, 'main')", [table]).map(([name, flag]) => [foldName(String(name)), flag === 1n]))
  const plain: PlainColumn[] = []
  for (const before of old?.shape.plain ?? []) {
    const column = columns.find(({ id }) => id === before.id)
    plain.push({ ...before, notNull: before.notNull && column !== undefined && (notNull.get(foldName(column.name)) === true || isKey(form, columns, column)) })
  }
  for (const [slot, column] of columns.entries()) {
    if (column.visibility !== 'plaintext' || plain.some(({ id }) => id === column.id)) continue
    const key = isKey(form, columns, column)
    plain.push({ id: column.id, type: plainType(form, slot, key), notNull: old === undefined && (key || notNull.get(foldName(column.name)) === true) })
  }
  if (plain.length > MAX_PLAIN_COLUMNS) throw new SealError('sql-limit', `A table has at most ${MAX_PLAIN_COLUMNS} plaintext columns.`, { max: MAX_PLAIN_COLUMNS })
  return plain
}

function isKey(form: TableForm, columns: readonly Column[], column: Column): boolean {
  return !form.nullKey && form.keySlots.includes(columns.indexOf(column))
}

/** Verifiers check a storage class only where SQLite guarantees it. */
function plainType(form: TableForm, slot: number, key: boolean): PlainType {
  if (key && form.keyIsRowid) return 'integer'
  const affinity = form.columns[slot]?.affinity
  return form.strict && affinity !== undefined && affinity !== 'numeric' ? affinity : 'any'
}

interface Wanted extends Omit<IndexShape, 'id'> { readonly collations: readonly Collation[] }

/** Unique indexes over columns, the equality of BLIND columns, and indexes over plaintext: in the engine, each once. */
function engineIndexes(db: Sqlite, object: SchemaObject, form: TableForm, columns: readonly Column[]): { indexes: IndexShape[]; collations: (readonly Collation[])[]; nextIndex: number } {
  const old = object.data
  const column = (sql: string): Column | undefined => columns.find(({ name }) => quoteName(name) === sql)
  const wanted: Wanted[] = []
  const want = (index: Wanted): void => {
    if (index.columns.length <= MAX_INDEXES && !wanted.some((w) => sameIndex(w, index))) wanted.push(index)
  }
  for (const { terms, where } of form.uniques) {
    const over = terms.map(({ sql, column: bare }) => (bare ? column(sql) : undefined))
    if (where !== undefined || !over.every((each) => each !== undefined)) continue
    const collations = terms.map(({ collation }) => collation)
    const plain = over.every(({ visibility }) => visibility === 'plaintext') && collations.every((collation) => collation === 'BINARY')
    want({ kind: plain ? 'plain' : 'blind', unique: true, columns: over.map(({ id }) => id), collations })
  }
  for (const names of plainIndexes(db, object.name)) {
    const over = names.map((name) => column(quoteName(name)))
    if (over.every((each) => each?.visibility === 'plaintext')) want({ kind: 'plain', unique: false, columns: over.map((each) => each?.id ?? 0), collations: over.map(() => 'BINARY') })
  }
  const collate = declaredCollations(object.sql)
  for (const { id, name, visibility } of columns) {
    if (visibility !== 'blind') continue
    const collation = collate.get(foldName(name)) ?? 'BINARY'
    if (!wanted.some((w) => w.columns.length === 1 && w.columns[0] === id && w.collations[0] === collation)) want({ kind: 'blind', unique: false, columns: [id], collations: [collation] })
  }
  let nextIndex = old?.nextIndex ?? 1
  const indexes: IndexShape[] = []
  const collations: (readonly Collation[])[] = []
  for (const index of wanted.slice(0, MAX_INDEXES)) {
    const before = old?.shape.indexes.find((shape, i) => sameIndex({ ...shape, collations: old.collations[i] ?? [] }, index))
    indexes.push({ id: before?.id ?? nextIndex++, kind: index.kind, unique: index.unique, columns: index.columns })
    collations.push(index.collations)
  }
  return { indexes, collations, nextIndex }
}

/** Columns of the indexes that may repeat values, hold all rows and compare bytes. */
function plainIndexes(db: Sqlite, table: string): string[][] {
  const names = db.all("SELECT name FROM pragma_index_list(?, 'main') WHERE NOT \"unique\" AND NOT partial ORDER BY seq DESC", [table])
  const parts = names.map(([name]) => db.all("SELECT name, coll FROM pragma_index_xinfo(?, 'main') WHERE key ORDER BY seqno", [String(name)]))
  return parts.filter((columns) => columns.every(([name, collation]) => name !== null && collation === 'BINARY')).map((columns) => columns.map(([name]) => String(name)))
}

/** PRAGMA doesn't tell a column's collation. */
function declaredCollations(sql: string): ReadonlyMap<string, Collation> {
  const statement = parseStatement(sql)
  const found = new Map<string, Collation>()
  for (const { name, constraints } of statement.kind === 'create-table' ? statement.columns : []) {
    for (const constraint of constraints) {
      const word = constraint.kind === 'collate-constraint' ? constraint.collation.text.toUpperCase() : undefined
      if (word === 'BINARY' || word === 'NOCASE' || word === 'RTRIM') found.set(foldName(name.text), word)
    }
  }
  return found
}

function sameIndex(a: Wanted, b: Wanted): boolean {
  const text = ({ kind, unique, columns, collations }: Wanted): string => JSON.stringify([kind, unique, columns, collations])
  return text(a) === text(b)
}
