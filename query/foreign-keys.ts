/**
 * What a transaction must have read for its foreign keys to hold when it lands: the parent of each row that references one, and for a parent that is
 * gone that nobody references it. Only where foreign keys are on: the connection that checked is the one that declares.
 */
import { type SqlValue } from '../engine/codec/value.js'
import { type ObjectId, type Read } from '../engine/space/types.js'
import { sameValue, type RowDelta } from './capture.js'
import { findTable, type Schema, type SchemaObject } from './catalog.js'
import { keyIdentity, rowKey } from './keys.js'
import { type Mirror } from './materialise.js'
import { foldName, sameName } from './sql/names.js'
import { type Sqlite, type Statement } from './sqlite.js'
import { quoteName } from './sqlite/names.js'

/** Beyond so many rows of one parent the whole table is declared: one claim instead of thousands. */
const MAX_ROW_READS = 256

interface ForeignKey {
  readonly child: SchemaObject
  readonly parent: SchemaObject
  readonly from: readonly string[]
  readonly to: readonly string[]
}

interface Delta { readonly table: ObjectId; readonly before: readonly SqlValue[] | undefined; readonly after: readonly SqlValue[] | undefined }

/** Is shown each change of a transaction, keeps those of tables with foreign keys, and says what they must have read. */
export class ForeignKeyReads {
  readonly #mirror: Mirror
  readonly #before: Schema
  readonly #schema: Schema
  readonly #deltas: Delta[] = []
  #keys: readonly ForeignKey[] | undefined
  readonly #concerned = new Map<ObjectId, boolean>()

  constructor(mirror: Mirror, before: Schema, schema: Schema) {
    this.#mirror = mirror
    this.#before = before
    this.#schema = schema
  }

  note(delta: RowDelta): void {
    const { table, before, after } = delta
    if (this.#isConcerned(table)) this.#deltas.push({ table, before, after: after?.row() })
  }

  /** While all that was noted is in SQLite, whose transaction is open. Tables that were not there before need no declaring: nobody else knows them. */
  list(): Read[] {
    const reads = new Reads()
    if (this.#deltas.length === 0) return []
    for (const key of this.#foreignKeys()) {
      if (this.#before.has(key.parent.id)) declareParents(this.#mirror, key, this.#deltas, reads)
      if (this.#before.has(key.child.id)) declareChildren(this.#mirror, key, this.#deltas, reads)
    }
    return reads.list()
  }

  #isConcerned(table: ObjectId): boolean {
    let found = this.#concerned.get(table)
    if (found === undefined) {
      found = this.#foreignKeys().some(({ child, parent }) => child.id === table || parent.id === table)
      this.#concerned.set(table, found)
    }
    return found
  }

  #foreignKeys(): readonly ForeignKey[] {
    const { db } = this.#mirror
    this.#keys ??= db.foreignKeys ? [...this.#schema.values()].flatMap((object) => (object.type === 'table' ? foreignKeysOf(db, this.#schema, object) : [])) : []
    return this.#keys
  }
}

/** Each once; many of one table become the table. */
class Reads {
  readonly #rows = new Map<ObjectId, Map<string | number, Read>>()
  readonly #tables = new Set<ObjectId>()

  row(table: ObjectId, key: readonly SqlValue[]): void {
    const rows = this.#rows.get(table) ?? new Map<string | number, Read>()
    this.#rows.set(table, rows)
    rows.set(keyIdentity(key), { kind: 'row', table, key })
    if (rows.size > MAX_ROW_READS) this.table(table)
  }
  table(table: ObjectId): void {
    this.#tables.add(table)
  }
  hasTable(table: ObjectId): boolean {
    return this.#tables.has(table)
  }
  list(): Read[] {
    const rows = [...this.#rows].flatMap(([table, found]) => (this.#tables.has(table) ? [] : [...found.values()]))
    return [...rows, ...[...this.#tables].map((table): Read => ({ kind: 'table', table }))]
  }
}

function declareParents(mirror: Mirror, { child, parent, from, to }: ForeignKey, deltas: readonly Delta[], reads: Reads): void {
  const slots = slotsOf(mirror, child, from)
  const { form } = mirror.binding(parent)
  let find: Statement | undefined
  try {
    for (const { table, before, after } of deltas) {
      if (table !== child.id || after === undefined || reads.hasTable(parent.id)) continue
      const values = slots.map((slot) => after[slot] as SqlValue)
      if (values.includes(null)) continue
      if (before !== undefined && slots.every((slot) => sameValue(before[slot], after[slot]))) continue
      // The parent's affinity and collation decide, so SQLite finds it.
      const names = form.nullKey ? [...form.keyNames, String(form.rowid)] : form.keyNames
      find ??= mirror.db.prepare(`SELECT ${names.join(', ')} FROM main.${quoteName(parent.name)} WHERE ${to.map((name) => `${quoteName(name)} = ?`).join(' AND ')}`)
      const found = find.get(values)
      if (found !== undefined) reads.row(parent.id, form.nullKey ? rowKey(found.slice(0, -1), form.keyCollations, found.at(-1)) : rowKey(found, form.keyCollations, undefined))
    }
  } finally {
    find?.finalize()
  }
}

/** A row that was referenced, or might have been, is gone or has another key: no new child may have come. */
function declareChildren(mirror: Mirror, { child, parent, to }: ForeignKey, deltas: readonly Delta[], reads: Reads): void {
  const slots = slotsOf(mirror, parent, to)
  const gone = deltas.some(({ table, before, after }) => table === parent.id && before !== undefined && !(after !== undefined && slots.every((slot) => sameValue(before[slot], after[slot]))))
  if (gone) reads.table(child.id)
}

function slotsOf(mirror: Mirror, object: SchemaObject, names: readonly string[]): number[] {
  const { columns } = mirror.binding(object).form
  return names.map((name) => columns.findIndex((column) => sameName(column.name, name))).filter((slot) => slot >= 0)
}

function foreignKeysOf(db: Sqlite, schema: Schema, child: SchemaObject): ForeignKey[] {
  const byId = new Map<bigint, { table: string; from: string[]; to: (string | null)[] }>()
  for (const [id, table, from, to] of db.all('SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq', [child.name])) {
    const key = byId.get(id as bigint) ?? { table: String(table), from: [], to: [] }
    byId.set(id as bigint, key)
    key.from.push(String(from))
    key.to.push(to === null ? null : String(to))
  }
  return [...byId.values()].flatMap(({ table, from, to }) => {
    const parent = findTable(schema, table)
    if (parent === undefined) return []
    const named = to.every((name) => name !== null) ? to : primaryKey(db, parent.name)
    return named.length === from.length ? [{ child, parent, from, to: named }] : []
  })
}

function primaryKey(db: Sqlite, table: string): string[] {
  return db.all("SELECT name FROM pragma_table_info(?, 'main') WHERE pk > 0 ORDER BY pk", [foldName(table)]).map(([name]) => String(name))
}
