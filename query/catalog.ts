/**
 * The schema of a space as query knows it: what of a catalog object is sealed (names, SQL text, columns), and what SQLite and the engine need to agree on.
 *
 *   sealed := 0x01 type name table sql table-data?        table-data := column* next-column collations* next-index
 *
 * Objects are immutable: a changed one is a new one, so "is it the same" is `===`. A member may seal anything here, so what is decoded is
 * checked again: the text must be one CREATE statement of that kind and name, or the object is broken, listed and left out.
 */
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../engine/codec/canonical.js'
import { encodeHex } from '../engine/codec/bytes.js'
import { readValue, writeValue, type SqlValue } from '../engine/codec/value.js'
import { isSealError, SealError } from '../engine/errors.js'
import { MAX_COLUMNS, MAX_INDEXES, MAX_VALUE_LENGTH } from '../engine/limits.js'
import { type CatalogObject, type ColumnId, type ObjectId, type TableShape, type View } from '../engine/space/types.js'
import { type Collation } from './keys.js'
import { foldName } from './sql/names.js'
import { parseStatement } from './sql/parse.js'

export type Visibility = 'sealed' | 'blind' | 'plaintext'

export interface Column {
  /** From 1, never used again. 0 is the rowid of a table without a declared key. */
  readonly id: ColumnId
  readonly name: string
  readonly visibility: Visibility
  /** What rows written before the column was added have in it. */
  readonly initial: SqlValue
}

export interface TableData {
  readonly shape: TableShape
  /** Stored columns, in SQLite's order, which is that of their ids. */
  readonly columns: readonly Column[]
  readonly nextColumn: ColumnId
  /** For each index of the shape, the collations of its columns. */
  readonly collations: readonly (readonly Collation[])[]
  readonly nextIndex: number
}

export type ObjectType = 'table' | 'index' | 'view' | 'trigger'

export interface SchemaObject {
  readonly id: ObjectId
  readonly type: ObjectType
  readonly name: string
  /** As `tbl_name` of sqlite_schema: of an index or trigger what it belongs to, else its own name. */
  readonly table: string
  /** As SQLite keeps it: without our words. */
  readonly sql: string
  readonly parent: ObjectId | undefined
  /** Of a table. */
  readonly data: TableData | undefined
}

/** In order of their ids. */
export type Schema = ReadonlyMap<ObjectId, SchemaObject>

export interface BrokenObject { readonly id: ObjectId; readonly reason: string }

/** SQLite's own table of AUTOINCREMENT's counters, shared like any other. */
export const SEQUENCE = 'sqlite_sequence'

const VERSION = 1
const TYPES: readonly ObjectType[] = ['table', 'index', 'view', 'trigger']
const VISIBILITIES: readonly Visibility[] = ['sealed', 'blind', 'plaintext']
const COLLATIONS: readonly Collation[] = ['BINARY', 'NOCASE', 'RTRIM']

/** Objects in the same namespace as SQLite has it: what the engine keeps unique. */
export function nameOf({ type, name }: Pick<SchemaObject, 'type' | 'name'>): string {
  return `${type === 'trigger' ? 'trigger' : 'name'}:${foldName(name)}`
}

export function findObject(schema: Schema, type: ObjectType, name: string): SchemaObject | undefined {
  const folded = foldName(name)
  for (const object of schema.values()) if (object.type === type && foldName(object.name) === folded) return object
  return undefined
}

export const findTable = (schema: Schema, name: string): (SchemaObject & { readonly data: TableData }) | undefined => {
  const found = findObject(schema, 'table', name)
  return found !== undefined && isTable(found) ? found : undefined
}

export function isTable(object: SchemaObject): object is SchemaObject & { readonly data: TableData } {
  return object.data !== undefined
}

/** For the engine. */
export function toCatalogObject(object: SchemaObject): CatalogObject {
  const { id, type, parent, data } = object
  return { id, kind: type, ...(parent !== undefined && { parent }), ...(data && { table: data.shape }), sealed: encodeSealed(object) }
}

/** Never throws for what a member has sealed. */
export function readSchema(view: Pick<View, 'catalog'>): { readonly schema: Schema; readonly broken: readonly BrokenObject[] } {
  const schema = new Map<ObjectId, SchemaObject>()
  const broken: BrokenObject[] = []
  for (const object of [...view.catalog].sort((a, b) => a.id - b.id)) {
    if (object.kind === 'other') continue
    const read = readObject(object)
    if (typeof read === 'string') broken.push({ id: object.id, reason: read })
    else schema.set(read.id, read)
  }
  return { schema, broken }
}

/** Schemas are shared by all who read the same catalog. */
export class SchemaReader {
  #tag = ''
  #read: ReturnType<typeof readSchema> = { schema: new Map(), broken: [] }

  of(view: View): ReturnType<typeof readSchema> {
    const tag = encodeHex(view.catalogTag)
    if (tag !== this.#tag) {
      const before = this.#read.schema
      const { schema, broken } = readSchema(view)
      // Objects that did not change stay the same objects.
      const same = new Map([...schema].map(([id, object]) => [id, keepIfSame(before.get(id), object)]))
      this.#read = { schema: same, broken }
      this.#tag = tag
    }
    return this.#read
  }

  /** What was just written is what would be read: saves reading it. */
  adopt(view: View, schema: Schema): void {
    this.#tag = encodeHex(view.catalogTag)
    this.#read = { schema, broken: this.#read.broken }
  }
}

function keepIfSame(before: SchemaObject | undefined, now: SchemaObject): SchemaObject {
  return before !== undefined && sameObject(before, now) ? before : now
}

/** The catalog would say the same of both. */
export function sameObject(a: SchemaObject, b: SchemaObject): boolean {
  return a === b || (a.parent === b.parent && encodeHex(encodeSealed(a)) === encodeHex(encodeSealed(b)) && sameShape(a, b))
}

function sameShape(a: SchemaObject, b: SchemaObject): boolean {
  const text = (object: SchemaObject): string => JSON.stringify(object.data?.shape, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? encodeHex(value) : value))
  return text(a) === text(b)
}

function readObject(object: CatalogObject): SchemaObject | string {
  try {
    const read = decodeSealed(object)
    if (read.type !== object.kind) return 'kind'
    return checkText(read) ? read : 'text'
  } catch (error) {
    if (isSealError(error) && (error.family === 'hostile' || error.family === 'usage')) return error.code
    throw error
  }
}

/** The text runs in SQLite, so it must be no more than it says: one CREATE of this kind and name, not temporary. */
function checkText(object: SchemaObject): boolean {
  if (object.name === SEQUENCE) return object.type === 'table'
  const statement = parseStatement(object.sql)
  switch (statement.kind) {
    case 'create-table': case 'create-index': case 'create-view': case 'create-trigger': {
      const plain = statement.name.schema === null && !('temporary' in statement && statement.temporary) && !('as' in statement && statement.as !== null)
      const name = foldName(object.name)
      return plain && statement.kind === `create-${object.type}` && foldName(statement.name.name.text) === name && !name.startsWith('sqlite_')
    }
    default:
      return false
  }
}

function encodeSealed(object: SchemaObject): Uint8Array {
  return encodeCanonical(object, (w, o) => {
    w.u8(VERSION).u8(TYPES.indexOf(o.type)).text(o.name, MAX_VALUE_LENGTH).text(o.table, MAX_VALUE_LENGTH).text(o.sql, MAX_VALUE_LENGTH)
    w.optional(o.data, writeData)
  })
}

function writeData(w: Writer, data: TableData): void {
  w.list(data.columns, MAX_COLUMNS, (x, column) => {
    x.varint(column.id).text(column.name, MAX_VALUE_LENGTH).u8(VISIBILITIES.indexOf(column.visibility))
    writeValue(x, column.initial)
  })
  w.varint(data.nextColumn)
  w.list(data.collations, MAX_INDEXES, (x, list) => void x.list(list, MAX_INDEXES, (y, collation) => void y.u8(COLLATIONS.indexOf(collation))))
  w.varint(data.nextIndex)
}

function decodeSealed(object: CatalogObject): SchemaObject {
  return decodeCanonical(object.sealed, (r) => {
    if (r.u8() !== VERSION) throw r.bad('Expected version 1 of a sealed catalog object')
    const type = pick(r, TYPES)
    const [name, table, sql] = [r.text(MAX_VALUE_LENGTH), r.text(MAX_VALUE_LENGTH), r.text(MAX_VALUE_LENGTH)]
    const data = r.optional((x) => readData(x, object.table))
    if ((data === undefined) !== (type !== 'table')) throw r.bad('Expected the columns of a table, and of nothing else')
    return { id: object.id, type, name, table, sql, parent: object.parent, data }
  })
}

function readData(r: Reader, shape: TableShape | undefined): TableData {
  if (shape === undefined) throw r.bad('Expected the shape of a table')
  const columns = r.list(MAX_COLUMNS, (x): Column => ({ id: x.varint(), name: x.text(MAX_VALUE_LENGTH), visibility: pick(x, VISIBILITIES), initial: readValue(x) }))
  const nextColumn = r.varint()
  const collations = r.list(MAX_INDEXES, (x) => x.list(MAX_INDEXES, (y) => pick(y, COLLATIONS)))
  const nextIndex = r.varint()
  let last = 0
  for (const { id, visibility } of columns) {
    if (id <= last || id >= nextColumn) throw r.bad('Expected ascending ids of columns')
    if ((visibility === 'plaintext') !== shape.plain.some((plain) => plain.id === id)) throw r.bad('Expected plaintext columns to be those of the shape')
    last = id
  }
  const known = new Set([...columns.map(({ id }) => id), ...shape.plain.map(({ id }) => id)])
  shape.indexes.forEach((index, i) => {
    if (collations[i]?.length !== index.columns.length || !index.columns.every((id) => known.has(id)) || index.id >= nextIndex) throw r.bad('Expected the columns of each index')
  })
  return { shape, columns, nextColumn, collations, nextIndex }
}

function pick<T>(r: Reader, from: readonly T[]): T {
  const value = from[r.u8()]
  if (value === undefined) throw r.bad('Expected one of a few words')
  return value
}

/** For errors about a table that is not there, worded as SQLite does. */
export function noSuchTable(name: string): SealError {
  return new SealError('sql-error', `no such table: ${name}`, { name: 'SQLITE_ERROR', result: 1 })
}
