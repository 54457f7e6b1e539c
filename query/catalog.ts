/**
 * The schema of a space as query knows it: what of a catalog object is sealed (names, SQL text, columns), and what SQLite and the engine need to agree on.
 *
 *   sealed := 0x01 type name table sql table-data?        table-data := column* next-column collations* next-index
 *
 * Objects are immutable: a changed one is a new one, so "is it the same" is `===`. A member may seal anything here, so what is decoded is
 * checked again (catalog-flaws.ts), here and as a whole: or the object is broken, listed and left out. Which ones are is a function of the state alone.
 */
import { decodeCanonical, encodeCanonical, type Reader, type Writer } from '../engine/codec/canonical.js'
import { encodeHex, equalBytes } from '../engine/codec/bytes.js'
import { readValue, writeValue, type SqlValue } from '../engine/codec/value.js'
import { isSealError, SealError } from '../engine/errors.js'
import { MAX_COLUMNS, MAX_DEFINITION_LENGTH, MAX_INDEXES, MAX_VALUE_LENGTH } from '../engine/limits.js'
import { type CatalogObject, type ColumnId, type ObjectId, type TableShape, type View } from '../engine/space/types.js'
import { type Collation } from './keys.js'
import { flawOf, SEQUENCE } from './catalog-flaws.js'
import { sameText } from './same.js'
import { foldName } from './sql/names.js'

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

export { SEQUENCE }

const VERSION = 1
const TYPES: readonly ObjectType[] = ['table', 'index', 'view', 'trigger']
const VISIBILITIES: readonly Visibility[] = ['sealed', 'blind', 'plaintext']
const COLLATIONS: readonly Collation[] = ['BINARY', 'NOCASE', 'RTRIM']

/** Objects in the same namespace as SQLite has it: what the engine keeps unique. */
export function nameOf({ type, name }: Pick<SchemaObject, 'type' | 'name'>): string {
  return `${type === 'trigger' ? 'trigger' : 'name'}:${foldName(name)}`
}

/** As `nameOf`, of an object as the engine has it; undefined if it is not what it says. */
export function nameOfObject(object: CatalogObject): string | undefined {
  const read = readObject(object)
  return typeof read === 'string' ? undefined : nameOf(read)
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

/** What of a view a schema is read from. */
export type SchemaSource = Pick<View, 'catalog' | 'isNamed'>

interface Read { readonly schema: Schema; readonly broken: readonly BrokenObject[] }
interface ReadObject { readonly from: CatalogObject; readonly read: SchemaObject | string }

/** Never throws for what a member has sealed. `before`: objects read earlier, which are not parsed again, and those read now. */
export function readSchema(view: SchemaSource, before: Map<ObjectId, ReadObject> = new Map()): Read {
  const schema = new Map<ObjectId, SchemaObject>()
  const broken: BrokenObject[] = []
  const names = new Set<string>()
  const ids = new Set<ObjectId>()
  for (const from of [...view.catalog].sort((a, b) => a.id - b.id)) {
    if (from.kind === 'other') continue
    ids.add(from.id)
    const known = before.get(from.id)
    const read = known !== undefined && sameCatalogObject(known.from, from) ? known.read : readObject(from)
    before.set(from.id, { from, read })
    const flaw = typeof read === 'string' ? read : misplaced(read, schema, names, view)
    if (typeof read === 'string' || flaw !== undefined) broken.push({ id: from.id, reason: flaw ?? 'text' })
    else {
      names.add(nameOf(read))
      schema.set(read.id, read)
    }
  }
  for (const id of before.keys()) if (!ids.has(id)) before.delete(id)
  return { schema, broken }
}

/**
 * Why an object is not where it says. The engine keeps the *tokens* of names apart and lets nobody add to another's table; what is sealed has to agree, or a
 * trigger would run on others' tables, and one table stand in another's place. (Under two blinding generations a name may have two tokens: the older object has it.)
 */
function misplaced(object: SchemaObject, schema: Schema, names: ReadonlySet<string>, view: SchemaSource): string | undefined {
  const name = nameOf(object)
  if (names.has(name) || !view.isNamed(object.id, name)) return 'name'
  if (object.type === 'table' || object.type === 'view') return object.parent === undefined ? undefined : 'parent'
  // A parent is older than what belongs to it, so it was read before.
  const parent = object.parent === undefined ? undefined : schema.get(object.parent)
  const fits = parent !== undefined && foldName(parent.name) === foldName(object.table) && (parent.type === 'table' || (parent.type === 'view' && object.type === 'trigger'))
  return fits ? undefined : 'parent'
}

/** Schemas are shared by all who read the same catalog. */
export class SchemaReader {
  /** Tag of the catalog that was read, and what could be opened then. */
  #tag = ''
  #read: Read = { schema: new Map(), broken: [] }
  readonly #objects = new Map<ObjectId, ReadObject>()

  of(view: View): Read {
    const tag = tagOf(view)
    if (tag !== this.#tag) {
      const before = this.#read.schema
      const { schema, broken } = readSchema(view, this.#objects)
      // Objects that did not change stay the same objects.
      const same = new Map([...schema].map(([id, object]) => [id, keepIfSame(before.get(id), object)]))
      this.#read = { schema: same, broken }
      this.#tag = tag
    }
    return this.#read
  }

  /** What was just written is what would be read: saves reading it. */
  adopt(view: View, schema: Schema): void {
    this.#tag = tagOf(view)
    this.#read = { schema, broken: this.#read.broken }
  }
}

const tagOf = ({ catalogTag, learned }: View): string => `${encodeHex(catalogTag)} ${learned}`

function keepIfSame(before: SchemaObject | undefined, now: SchemaObject): SchemaObject {
  return before !== undefined && sameObject(before, now) ? before : now
}

/** The catalog would say the same of both. */
export function sameObject(a: SchemaObject, b: SchemaObject): boolean {
  return a === b || (a.parent === b.parent && encodeHex(encodeSealed(a)) === encodeHex(encodeSealed(b)) && sameShape(a, b))
}

function sameShape(a: SchemaObject, b: SchemaObject): boolean {
  return sameText(a.data?.shape) === sameText(b.data?.shape)
}

function sameCatalogObject(a: CatalogObject, b: CatalogObject): boolean {
  return a === b || (a.kind === b.kind && a.parent === b.parent && equalBytes(a.sealed, b.sealed) && sameText(a.table) === sameText(b.table))
}

/** One object by itself, or why it is none: what it says is whole, and its text is no more than it says. */
export function readObject(object: CatalogObject): SchemaObject | string {
  try {
    const read = decodeSealed(object)
    return read.type !== object.kind ? 'kind' : (flawOf(read) ?? read)
  } catch (error) {
    if (isSealError(error) && (error.family === 'hostile' || error.family === 'usage')) return error.code
    throw error
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
    const [name, table, sql] = [r.text(MAX_VALUE_LENGTH), r.text(MAX_VALUE_LENGTH), r.text(MAX_DEFINITION_LENGTH)]
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
