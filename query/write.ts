/**
 * What a transaction did, as a draft for the engine: the schema that it leaves, the rows that it leaves, and what it must have read for that to hold.
 */
import { SealError } from '../engine/errors.js'
import { type SqlValue } from '../engine/codec/value.js'
import { PackedRows } from '../engine/space/packed-rows.js'
import { type Draft, type ObjectId, type Read, type View } from '../engine/space/types.js'
import { type Binding, type Row } from './binding.js'
import { RowOfValues } from './body.js'
import { sameRow, type BaseRows, type Capture } from './capture.js'
import { isTable, SEQUENCE, type Schema, type SchemaObject } from './catalog.js'
import { catalogChanges, mustRewrite } from './ddl.js'
import { ForeignKeyReads } from './foreign-keys.js'
import { keyIdentity } from './keys.js'
import { noteChange, type MigrationNote } from './migrations.js'
import { type Mirror } from './materialise.js'
import { quoteName } from './sqlite/names.js'

export interface Transaction {
  readonly view: View
  readonly before: Schema
  readonly after: Schema
  readonly firstNew: ObjectId
  readonly nextNew: ObjectId
  /** Of the new ids, those that note a migration. */
  readonly notes: ReadonlyMap<ObjectId, MigrationNote>
  readonly reads: readonly Read[]
  readonly replay: Uint8Array | undefined
}

/** Undefined if nothing changed. SQLite's transaction is open and stays so. */
export function draftOf(mirror: Mirror, capture: Capture, transaction: Transaction): Draft | undefined {
  const { view, before, after, firstNew, nextNew, notes, reads, replay } = transaction
  const base = new BaseOfView(mirror, transaction)
  const foreign = new ForeignKeyReads(mirror, before, after)
  const rows = new PackedRows(capture.touchedCount)
  let binding: Binding | undefined
  const greatest = new Map<ObjectId, bigint>()
  // One by one: the values of ten thousand rows need not all be there at once.
  capture.collect(base, (delta) => {
    const { table, key, after: row } = delta
    if (binding?.id !== table) binding = mirror.binding(objectOf(after, table))
    if (row === undefined) rows.delete(table, key)
    else binding.pack(rows, base.has(table, key) ? 'update' : 'insert', key, row)
    foreign.note(delta)
    if (typeof key[0] === 'bigint' && !(key[0] <= (greatest.get(table) ?? -(2n ** 63n)))) greatest.set(table, key[0])
  })
  for (const [table, key] of greatest) mirror.noteKey(table, key)
  const catalog = before === after && notes.size === 0 ? [] : catalogChanges(before, after, firstNew, nextNew, (id) => { const note = notes.get(id); return note && noteChange(id, note) })
  for (const object of after.values()) {
    if (object.name === SEQUENCE && isTable(object)) packSequence(rows, mirror, transaction, object.id)
    else if (mustRewrite(before.get(object.id), object)) packRewrites(rows, mirror.binding(object), before.get(object.id), view)
  }
  if (catalog.length === 0 && rows.length === 0) {
    rows.giveBack()
    return undefined
  }
  return { catalog, rows, reads: [...reads, ...foreign.list()], ...(replay && { replay }) }
}

function objectOf(schema: Schema, table: ObjectId): Parameters<Mirror['binding']>[0] {
  const object = schema.get(table)
  if (object === undefined) throw new SealError('invariant', 'A table was captured that is not in the schema. Please report this.', { table })
  return object
}

/** Rows as they were when the transaction began. Those in quarantine, and those that are none, were not there, to SQL; the engine has them all the same. */
class BaseOfView implements BaseRows {
  readonly #mirror: Mirror
  readonly #transaction: Transaction
  readonly #seen = new Set<string>()

  constructor(mirror: Mirror, transaction: Transaction) {
    this.#mirror = mirror
    this.#transaction = transaction
  }

  row(table: ObjectId, key: readonly SqlValue[]): readonly SqlValue[] | undefined {
    const { before, after, view } = this.#transaction
    if (!before.has(table) || this.#mirror.isBeyond(table, key)) return undefined
    for (const row of view.rows(table, { kind: 'key', key })) {
      this.#seen.add(name(table, key))
      if ('reason' in row || this.#mirror.isHeld(table, key)) return undefined
      const opened = this.#mirror.binding(objectOf(after, table)).tryOpen(row)
      return typeof opened === 'string' ? undefined : opened.values
    }
    return undefined
  }

  /** True if the engine has a row there, whether it opens or not. After `row` was asked. */
  has(table: ObjectId, key: readonly SqlValue[]): boolean {
    return this.#seen.size > 0 && this.#seen.has(name(table, key))
  }
}

const name = (table: ObjectId, key: readonly SqlValue[]): string => `${table}/${keyIdentity(key)}`

/** All other rows of a table, under its new shape. */
function packRewrites(rows: PackedRows, binding: Binding, old: SchemaObject | undefined, view: View): void {
  const table = binding.id
  // The engine pads rows with NULL for plaintext columns that they were written without.
  const added = binding.data.columns.map(({ id, visibility, initial }) => (visibility === 'plaintext' && !old?.data?.columns.some((column) => column.id === id) ? initial : null))
  const written = new Set<string | number>()
  for (let i = 0; i < rows.length; i++) if (rows.table(i) === table) written.add(keyIdentity(rows.key(i)))
  for (const row of view.rows(table)) {
    if ('reason' in row) throw new SealError('open-failed', 'A row that does not open stands in the way of this change of the table.', { table, version: row.version })
    const { key, values } = binding.open(row)
    if (!written.has(keyIdentity(key))) binding.pack(rows, 'update', key, new RowOfValues(values.map((value, slot) => value ?? added[slot] ?? null)))
  }
}

/** No trigger can watch SQLite's own table, but it is small: all of it is compared. */
function packSequence(rows: PackedRows, mirror: Mirror, { view, before, after }: Transaction, table: ObjectId): void {
  const binding = mirror.binding(objectOf(after, table))
  const old = new Map<string | number, Row>()
  for (const row of before.has(table) ? view.rows(table) : []) {
    if ('reason' in row) continue
    const opened = binding.tryOpen(row)
    if (typeof opened !== 'string') old.set(keyIdentity(opened.key), opened)
  }
  for (const [rowid, ...values] of mirror.db.all(`SELECT rowid, name, seq FROM main.${quoteName(SEQUENCE)}`)) {
    const key = [rowid as SqlValue]
    const was = old.get(keyIdentity(key))
    old.delete(keyIdentity(key))
    if (!sameRow(was?.values, values)) binding.pack(rows, was === undefined ? 'insert' : 'update', key, new RowOfValues(values))
  }
  for (const { key } of old.values()) rows.delete(table, key)
}
