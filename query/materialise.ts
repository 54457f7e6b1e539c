/**
 * SQLite as the mirror of one view: the schema as the catalog has it, and of the tables that are loaded exactly the rows of the view that open and fit.
 * Rows enter SQLite here and nowhere else. It moves from view to view by difference, before anything is read.
 *
 * A table is loaded when a statement first needs it. What was loaded within a transaction goes with it if that is rolled back.
 *
 * Over 400 lines: what a table holds, its tag and the ranges that are loaded move together, and a reader has to see that they do.
 */
import { encodeHex, equalBytes } from '../engine/codec/bytes.js'
import { type SqlValue } from '../engine/codec/value.js'
import { invariant, isSealError } from '../engine/errors.js'
import { type ObjectId, type RowRange, type RowView, type UnopenedRow, type View } from '../engine/space/types.js'
import { Binding } from './binding.js'
import { type Capture } from './capture.js'
import { findObject, isTable, SchemaReader, SEQUENCE, type BrokenObject, type Schema, type SchemaObject } from './catalog.js'
import { keepCounters } from './counters.js'
import { TableImages, type Image, type QuarantineReason } from './images.js'
import { keyIdentity } from './keys.js'
import { ifHere } from './remote.js'
import { sameText } from './same.js'
import { type Sqlite } from './sqlite.js'
import { quoteName } from './sqlite/names.js'

/** A row that the space holds and that no query sees: `reason` says why. */
export interface QuarantinedRow {
  readonly table: ObjectId
  readonly rowKey: Uint8Array | undefined
  readonly key: readonly SqlValue[] | undefined
  readonly version: number
  readonly reason: QuarantineReason | 'body' | 'key' | 'index' | string
}

/** Ranges of one table that are worth loading one by one. */
export const MAX_RANGES = 64

/** The range of all rows, by name. */
const WHOLE = sameText({ kind: 'all' })

/** Ranges of a table that were filled together. */
export interface Part {
  readonly table: ObjectId
  readonly names: readonly string[]
  /** Nothing of the table was here before. */
  readonly made: boolean
}

interface Loaded {
  readonly images: TableImages
  /** No row has a greater integer for its key, whether SQLite holds it or not; those that don't open aside. */
  greatest: bigint
  /** Rows that don't open, by row key. */
  readonly unopened: Map<string, { readonly rowKey: Uint8Array; readonly version: number; readonly reason: string }>
}

export class Mirror {
  readonly db: Sqlite
  readonly #capture: Capture
  readonly #reader = new SchemaReader()
  readonly #loaded = new Map<ObjectId, Loaded>()
  /** Tables of which only some ranges are here, until one of their rows changes or too many were asked for. */
  readonly #partial = new Map<ObjectId, Loaded & { readonly ranges: Set<string> }>()
  readonly #bindings = new WeakMap<SchemaObject, Binding>()
  readonly #refused = new Map<ObjectId, string>()
  #view: View
  /** What SQLite has; the catalog has more if SQLite refuses some. */
  #schema: Schema = new Map()
  #catalog: Schema = this.#schema
  #broken: readonly BrokenObject[] = []
  /** Of the view that was moved to last. */
  #learned: number
  /** Counts changes of SQLite's schema: statements and plans from before are stale. */
  generation = 0
  /** Counts rows that were opened to be put into SQLite. */
  rowsOpened = 0
  /** Counts changes of which tables are loaded. */
  loads = 0
  /** Counts moments from which a table that was loaded, or here by a range of all its rows, is so no more. */
  epoch = 0

  /** Takes a claim on `view`. */
  constructor(db: Sqlite, capture: Capture, view: View) {
    this.db = db
    this.#capture = capture
    this.#view = view.retain()
    this.#learned = view.learned
    this.#moveSchema(view)
  }

  get view(): View {
    return this.#view
  }
  get schema(): Schema {
    return this.#schema
  }
  /** Catalog objects that are not what they say, or that SQLite refuses. */
  get broken(): readonly BrokenObject[] {
    return [...this.#broken, ...[...this.#refused].map(([id, reason]) => ({ id, reason }))]
  }

  isLoaded(table: ObjectId): boolean {
    return this.#loaded.has(table)
  }
  get allLoaded(): boolean {
    for (const [id, object] of this.#schema) if (isTable(object) && !this.#loaded.has(id)) return false
    return true
  }
  loadedTables(): ObjectId[] {
    return [...this.#loaded.keys()]
  }

  /** How a table of SQLite's present schema maps to the engine. */
  binding(object: SchemaObject): Binding {
    invariant(isTable(object), 'only tables are bound')
    let binding = this.#bindings.get(object)
    if (binding === undefined) this.#bindings.set(object, (binding = new Binding(this.db, object)))
    return binding
  }

  /** Move to `next`; no transaction is open. The cost is that of what changed. */
  moveTo(next: View): void {
    if (next === this.#view) return
    const before = this.#view
    next.retain()
    if (next.learned !== this.#learned) this.#openAgain(next.learned)
    for (const id of [...this.#partial.keys()]) if (!isSameTable(before, next, id)) this.#dropPartial(id)
    try {
      this.#moveSchema(next)
      this.#transact(() => {
        for (const [id, loaded] of [...this.#loaded]) this.#follow(id, loaded, before, next)
        this.#refreshSequence(next, before)
      })
    } catch (error) {
      next.release()
      this.unload(this.loadedTables())
      throw error
    }
    this.#view = next
    before.release()
  }

  /** Fill tables that a statement needs; within a transaction, too. Those that `schema` does not have are nobody's. */
  load(tables: Iterable<ObjectId>, schema: Schema = this.#schema): ObjectId[] {
    const missing = [...tables].filter((id) => !this.#loaded.has(id) && schema.get(id)?.data !== undefined)
    if (missing.length === 0) return []
    const fill = (): void => { for (const id of missing) this.#fill(schema.get(id) as SchemaObject) }
    try {
      if (this.db.inTransaction) this.#within(fill)
      else {
        this.#transact(() => {
          fill()
          this.#refreshSequence(this.#view)
        })
      }
    } catch (error) {
      this.unload(missing)
      throw error
    }
    return missing
  }

  /** AUTOINCREMENT's counters must be here before a transaction: all of them are compared at its end, and what is missing would count as deleted. */
  loadSequence(): void {
    if (this.#sequence?.schema !== this.#schema) this.#sequence = { schema: this.#schema, id: findObject(this.#schema, 'table', SEQUENCE)?.id }
    if (this.#sequence.id !== undefined) this.load([this.#sequence.id])
  }
  #sequence: { readonly schema: Schema; readonly id: ObjectId | undefined } | undefined

  /** Fill only these rows of a table that is not loaded; outside of a transaction. False if that is not worth it any more: load it whole. */
  loadRanges(object: SchemaObject, ranges: readonly RowRange[]): boolean {
    invariant(!this.db.inTransaction, 'ranges are filled outside of a transaction, or as parts of it')
    const known = this.#partial.get(object.id)?.ranges
    if ((known?.size ?? 0) + ranges.filter((range) => known?.has(sameText(range)) !== true).length > MAX_RANGES) return false
    this.loadPart(object, ranges)
    return true
  }

  /**
   * The same, within a transaction, too, and however many there are: a thin client has nothing else. Rows that the transaction has touched stay as it has
   * left them. What it did, to be undone by `unloadPart` if the transaction, or a savepoint in it, is rolled back; undefined: nothing.
   */
  loadPart(object: SchemaObject, ranges: readonly RowRange[]): Part | undefined {
    invariant(!this.#loaded.has(object.id), 'parts are of a table that is not loaded')
    const { inTransaction } = this.db
    if (!inTransaction && (this.#partial.get(object.id)?.ranges.size ?? 0) > MAX_RANGES) this.#dropPartial(object.id)
    const before = this.#partial.get(object.id)
    const missing = [...new Map(ranges.map((range) => [sameText(range), range]))].filter(([name]) => before?.ranges.has(name) !== true)
    if (before !== undefined && missing.length === 0) return undefined
    const partial = before ?? { ...this.#newLoaded(object), ranges: new Set<string>() }
    const part: Part = { table: object.id, names: missing.map(([name]) => name), made: before === undefined }
    const binding = this.binding(object)
    const fill = (): void => {
      if (before === undefined) partial.images.clear()
      for (const [, range] of missing) {
        const images = new Map([...this.#images(binding, partial, this.#view.rows(object.id, range))].map((image) => [keyIdentity(image.key), image]))
        partial.images.apply([...images.values()].filter(({ key }) => !inTransaction || !this.#capture.isTouched(object.id, key)))
      }
    }
    this.#partial.set(object.id, partial)
    for (const name of part.names) partial.ranges.add(name)
    if (part.made) this.loads++
    try {
      if (inTransaction) this.#within(fill)
      else this.#transact(fill)
    } catch (error) {
      this.unloadPart(part)
      throw error
    }
    return part
  }

  /** SQLite is where it was before: so are the names of what it holds. */
  unloadPart({ table, names, made }: Part): void {
    if (made) return this.#dropPartial(table)
    for (const name of names) this.#partial.get(table)?.ranges.delete(name)
    if (names.includes(WHOLE)) this.epoch++
  }

  /** All rows of that range are here, as far as they open and fit. */
  holds(table: ObjectId, range: RowRange): boolean {
    const ranges = this.#partial.get(table)?.ranges
    return this.#loaded.has(table) || ranges?.has(sameText(range)) === true || ranges?.has(WHOLE) === true
  }

  isPartial(table: ObjectId): boolean {
    return this.#partial.has(table)
  }

  /** This device has learned secrets: tables of which something did not open are read anew, when they are needed. */
  #openAgain(learned: number): void {
    this.#learned = learned
    const lacking = [...this.#loaded].filter(([, { unopened }]) => unopened.size > 0).map(([id]) => id)
    if (lacking.length > 0) this.unload(lacking)
    for (const [id, { unopened }] of this.#partial) if (unopened.size > 0) this.#dropPartial(id)
  }

  #dropPartial(table: ObjectId): void {
    const partial = this.#partial.get(table)
    if (partial === undefined) return
    partial.images.close()
    this.#partial.delete(table)
    this.loads++
    if (partial.ranges.has(WHOLE)) this.epoch++
  }

  /** What was loaded is not to be trusted any more: fill it again when it is needed. */
  unload(tables: Iterable<ObjectId>): void {
    this.epoch++
    this.loads++
    for (const id of tables) {
      this.#loaded.get(id)?.images.close()
      this.#loaded.delete(id)
    }
  }

  /** A table that this transaction made: all that will be in it is there. */
  created(object: SchemaObject): void {
    this.#loaded.set(object.id, this.#newLoaded(object))
    this.loads++
  }

  /**
   * The transaction that SQLite has committed is `next` (whose claim is given away), by this schema. `altered`: tables whose definition it changed.
   */
  adopt(next: View, schema: Schema): void {
    const before = this.#view
    const old = this.#schema
    this.#view = next
    for (const id of [...this.#partial.keys()]) if (schema.get(id) !== old.get(id) || !isSameTable(before, next, id)) this.#dropPartial(id)
    if (schema !== old) {
      this.#schema = schema
      // What SQLite refuses is in the catalog still.
      this.#catalog = this.#refused.size === 0 ? schema : new Map([...schema, ...[...this.#catalog].filter(([id]) => this.#refused.has(id))])
      this.#reader.adopt(next, this.#catalog)
    }
    for (const [id, loaded] of [...this.#loaded]) {
      const object = schema.get(id)
      if (object === undefined) this.unload([id])
      else if (object !== old.get(id) && old.has(id)) {
        // New statements for the new definition; what was kept out has to be tried against it.
        const again = loaded.images.quarantinedCount > 0 || loaded.unopened.size > 0
        this.unload([id])
        if (!again) this.#loaded.set(id, { ...this.#newLoaded(object), greatest: loaded.greatest })
      } else if (loaded.images.quarantinedCount > 0 || loaded.unopened.size > 0) {
        this.#transact(() => this.#applyChanges(id, loaded, before, next))
      }
    }
    before.release()
  }


  isHeld(table: ObjectId, key: readonly SqlValue[]): boolean {
    const images = (this.#loaded.get(table) ?? this.#partial.get(table))?.images
    if (images === undefined || images.quarantinedCount === 0) return false
    const identity = keyIdentity(key)
    for (const held of images.quarantined()) if (keyIdentity(held.key) === identity) return true
    return false
  }

  /** True if surely no row has this key: what is written in ascending order needs no looking up. */
  isBeyond(table: ObjectId, key: readonly SqlValue[]): boolean {
    const loaded = this.#loaded.get(table)
    const [first] = key
    return loaded !== undefined && loaded.unopened.size === 0 && key.length === 1 && typeof first === 'bigint' && first > loaded.greatest
  }

  /** These keys may be there from now on. */
  noteKey(table: ObjectId, first: bigint): void {
    const loaded = this.#loaded.get(table)
    if (loaded !== undefined && first > loaded.greatest) loaded.greatest = first
  }

  quarantined(): QuarantinedRow[] {
    const rows: QuarantinedRow[] = []
    for (const [table, { images, unopened }] of this.#loaded) {
      for (const { key, version, reason } of images.quarantined()) rows.push({ table, key, rowKey: undefined, version, reason })
      for (const { rowKey, version, reason } of unopened.values()) rows.push({ table, key: undefined, rowKey, version, reason })
    }
    return rows
  }

  close(): void {
    this.unload(this.loadedTables())
    for (const id of [...this.#partial.keys()]) this.#dropPartial(id)
    this.#view.release()
  }

  // ---- rows ------------------------------------------------------------------------------------------------------------------------

  #newLoaded(object: SchemaObject): Loaded {
    const versionOf = (key: readonly SqlValue[]): number => {
      for (const row of this.#arriving.rows(object.id, { kind: 'key', key })) return row.version
      return Number.MAX_SAFE_INTEGER
    }
    return { images: new TableImages(this.db, this.binding(object).form, versionOf), unopened: new Map(), greatest: -(2n ** 63n) }
  }

  /** The view that is being applied. */
  get #arriving(): View {
    return this.#target ?? this.#view
  }
  #target: View | undefined

  #fill(object: SchemaObject): void {
    this.#dropPartial(object.id)
    const loaded = this.#newLoaded(object)
    const binding = this.binding(object)
    loaded.images.clear()
    if (object.name !== SEQUENCE) loaded.images.load(this.#images(binding, loaded, this.#view.rows(object.id)))
    this.#loaded.set(object.id, loaded)
    this.loads++
  }

  *#images(binding: Binding, loaded: Loaded, rows: Iterable<RowView | UnopenedRow>): IterableIterator<Image> {
    for (const row of rows) {
      const image = this.#imageOf(binding, loaded, row)
      if (image !== undefined) yield image
    }
  }

  #imageOf(binding: Binding, loaded: Loaded, row: RowView | UnopenedRow): Image | undefined {
    this.rowsOpened++
    if ('reason' in row) {
      loaded.unopened.set(encodeHex(row.rowKey), row)
      return undefined
    }
    const opened = binding.tryOpen(row)
    if (typeof opened === 'string') {
      loaded.unopened.set(encodeHex(row.rowKey), { rowKey: row.rowKey, version: row.version, reason: opened })
      return undefined
    }
    const { key, values } = opened
    const [first] = key
    if (typeof first === 'bigint' && first > loaded.greatest) loaded.greatest = first
    return { key, row: values, version: row.version }
  }

  /** A thin client may not have what changed: then the table is filled again when it is needed. */
  #follow(table: ObjectId, loaded: Loaded, before: View, next: View): void {
    const isDone = ifHere(() => {
      this.#applyChanges(table, loaded, before, next)
      return true
    })
    if (isDone !== true) this.unload([table])
  }

  #applyChanges(table: ObjectId, loaded: Loaded, before: View, next: View): void {
    if (equalBytes(before.tableTag(table), next.tableTag(table))) return
    const object = this.#schema.get(table)
    if (object === undefined || object.name === SEQUENCE) return
    const binding = this.binding(object)
    const images: Image[] = []
    const worth = next.count(table) / 2 + 1_000
    for (const change of next.changes(before, table)) {
      if (images.length > worth) return this.#refill(loaded, binding, table, next)
      loaded.unopened.delete(encodeHex(change.rowKey))
      const image = change.row && this.#imageOf(binding, loaded, change.row)
      if (image !== undefined) images.push(image)
      else if (change.before && !('reason' in change.before)) {
        const old = binding.tryOpen(change.before)
        if (typeof old !== 'string') images.push({ key: old.key, row: undefined, version: change.before.version })
      }
    }
    this.#target = next
    try {
      loaded.images.apply(images)
    } finally {
      this.#target = undefined
    }
  }

  /** So much has changed, as after a re-blinding, that all rows anew are less work. */
  #refill(loaded: Loaded, binding: Binding, table: ObjectId, next: View): void {
    loaded.unopened.clear()
    loaded.images.clear()
    this.#target = next
    try {
      loaded.images.load(this.#images(binding, loaded, next.rows(table)))
    } finally {
      this.#target = undefined
    }
  }

  /** AUTOINCREMENT's counters, which SQLite itself moves when rows arrive: as the view has them. */
  #refreshSequence(view: View, before?: View): void {
    const object = findObject(this.#schema, 'table', SEQUENCE)
    if (object === undefined) return
    const moved = before === undefined || [...this.#loaded.keys()].some((id) => !isSameTable(before, view, id))
    if (!moved && this.#loaded.has(object.id)) return
    const loaded = this.#loaded.get(object.id) ?? this.#newLoaded(object)
    this.#loaded.set(object.id, loaded)
    loaded.images.clear()
    loaded.images.load(this.#images(this.binding(object), loaded, view.rows(object.id)))
  }

  /** Fill in rows while a transaction is open, of which that is no part. */
  #within(fill: () => void): void {
    this.#capture.pause(() => keepCounters(this.db, fill))
  }

  #transact(work: () => void): void {
    this.db.begin()
    try {
      work()
      this.db.commit()
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK')
      throw error
    }
  }

  // ---- the schema ------------------------------------------------------------------------------------------------------------------

  #moveSchema(next: View): void {
    const from = this.#schema
    const { schema: to, broken } = this.#reader.of(next)
    this.#broken = broken
    if (to === this.#catalog) return
    this.#catalog = to
    this.#refused.clear()
    this.#capture.uninstall()
    this.generation++
    const there = this.#dropChanged(from, to)
    const accepted = new Map<ObjectId, SchemaObject>()
    for (const [id, object] of to) {
      const refusal = there.has(id) ? undefined : object.parent !== undefined && !accepted.has(object.parent) ? 'parent' : this.#create(object, accepted)
      if (refusal === undefined) accepted.set(id, object)
      else this.#refused.set(id, refusal)
    }
    this.#schema = accepted
  }

  /** Drops what is not in `to` as it was, and gives what stays. */
  #dropChanged(from: Schema, to: Schema): ReadonlySet<ObjectId> {
    const stays = (object: SchemaObject): boolean => {
      const now = to.get(object.id)
      return now !== undefined && now.sql === object.sql && now.name === object.name && now.table === object.table
    }
    const there = new Set([...from.values()].filter(stays).map(({ id }) => id))
    // SQLite drops what belongs to a table or view along with it.
    for (const object of from.values()) if (object.parent !== undefined && !there.has(object.parent)) there.delete(object.id)
    for (const type of ['trigger', 'view', 'index', 'table'] as const) {
      for (const object of from.values()) {
        if (object.type !== type || there.has(object.id) || object.name === SEQUENCE) continue
        if (type === 'index') this.#vacate(object.parent, from)
        this.db.silently(() => this.db.exec(`DROP ${type.toUpperCase()} IF EXISTS main.${quoteName(object.name)}`))
        if (type === 'table') {
          this.unload([object.id])
          this.#dropPartial(object.id)
        }
      }
    }
    return there
  }

  /** An index comes or goes: which rows fit is another question then, and whether SQLite takes the index must not depend on those that happen to be here. */
  #vacate(table: ObjectId | undefined, schema: Schema): void {
    const object = table === undefined ? undefined : schema.get(table)
    if (object === undefined) return
    this.unload([object.id])
    this.#dropPartial(object.id)
    this.#bindings.delete(object)
    this.db.silently(() => this.db.exec(`DELETE FROM main.${quoteName(object.name)}`))
  }

  /** The reason why SQLite does not have it, if it does not. */
  #create(object: SchemaObject, accepted: Schema): string | undefined {
    if (object.type === 'index') this.#vacate(object.parent, accepted)
    try {
      // SQLite makes this one itself, with the first AUTOINCREMENT.
      if (object.name === SEQUENCE) this.db.exec('CREATE TABLE main.sealdb_first(id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE main.sealdb_first')
      else this.db.run(object.sql)
    } catch (error) {
      return refusalCode(error)
    }
    if (!isTable(object)) return undefined
    try {
      this.binding(object)
      return undefined
    } catch (error) {
      // Nothing is left of it: whoever defines something next would take it for his own.
      this.db.silently(() => this.db.exec(`DROP TABLE main.${quoteName(object.name)}`))
      return refusalCode(error)
    }
  }
}

/** Surely the same rows. */
function isSameTable(before: View, next: View, table: ObjectId): boolean {
  return ifHere(() => equalBytes(before.tableTag(table), next.tableTag(table))) ?? false
}

function refusalCode(error: unknown): string {
  if (isSealError(error, 'sql-error') || isSealError(error, 'bad-encoding') || isSealError(error, 'bad-argument')) return error.code
  throw error
}
