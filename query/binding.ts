/**
 * One table between SQLite and the engine: which of SQLite's stored columns is sealed, which is plaintext, what its indexes hold. Rows go through it
 * both ways: stored columns in SQLite's order here, plaintext values, body and index values there.
 */
import { EMPTY_BYTES, equalBytes } from '../engine/codec/bytes.js'
import { encodeTuple } from '../engine/codec/tuple.js'
import { isSealError, SealError } from '../engine/errors.js'
import { type SqlValue } from '../engine/codec/value.js'
import { type PackedRows } from '../engine/space/packed-rows.js'
import { type ColumnId, type RowView } from '../engine/space/types.js'
import { decodeRow, RowOfValues, type RowSource, writeBody } from './body.js'
import { type SchemaObject, type TableData } from './catalog.js'
import { canonicalKey, canonicalValue, keyIdentity, rowKey, type Collation } from './keys.js'
import { sameValue } from './capture.js'
import { foldName } from './sql/names.js'
import { type Sqlite } from './sqlite.js'
import { describeTable, type TableForm } from './sqlite/form.js'

/** The rowid of a row without a declared key, or with NULL in it, lies in the body under an id that no column has. */
const ROWID_COLUMN = 0

export interface Row {
  /** Canonical. */
  readonly key: readonly SqlValue[]
  /** Stored columns in SQLite's order (`TableForm.columns`). */
  readonly values: readonly SqlValue[]
}

type Opened = Pick<RowView, 'rowKey' | 'key' | 'blind' | 'plain' | 'body'>

const NONE: readonly never[] = []

interface BlindIndex { readonly id: number; readonly slots: readonly number[]; readonly collations: readonly Collation[] }

export class Binding {
  readonly id: number
  readonly name: string
  readonly form: TableForm
  readonly data: TableData
  /** Ascending ids of what the body holds, and where each lies in a row; −1 is the rowid. */
  readonly #bodyIds: readonly ColumnId[]
  readonly #bodySlots: readonly number[]
  /** The same without the rowid, which whoever is known by a declared key alone has none of to keep. */
  readonly #keyedIds: readonly ColumnId[]
  readonly #keyedSlots: readonly number[]
  readonly #initial: readonly SqlValue[]
  /** For each plaintext column of the shape its place in a row, −1 if it was dropped. */
  readonly #plainSlots: readonly number[]
  readonly #blind: readonly BlindIndex[]
  /** The body holds a row just as SQLite does. */
  readonly #same: boolean

  /** Throws `bad-encoding` if what the catalog says is not what SQLite made of the table's text. */
  constructor(db: Sqlite, object: SchemaObject & { readonly data: TableData }) {
    const { data } = object
    this.id = object.id
    this.name = object.name
    this.data = data
    this.form = describeTable(db, object.name)
    const { columns, keySlots } = this.form
    const agrees = columns.length === data.columns.length && columns.every(({ name }, i) => foldName(name) === foldName(data.columns[i]?.name ?? ''))
    if (!agrees) throw new SealError('bad-encoding', 'A table’s columns in the catalog are not those of its definition.', { table: object.id })
    const slotOf = new Map(data.columns.map(({ id }, slot) => [id, slot]))
    const body = data.columns.map(({ id, visibility }, slot) => ({ id, slot, visibility })).filter(({ visibility }) => visibility !== 'plaintext')
    if (keySlots.length === 0 || this.form.nullKey) body.unshift({ id: ROWID_COLUMN, slot: -1, visibility: 'sealed' })
    this.#bodyIds = body.map(({ id }) => id)
    this.#bodySlots = body.map(({ slot }) => slot)
    this.#keyedIds = this.#bodyIds.filter((id) => id !== ROWID_COLUMN)
    this.#keyedSlots = this.#bodySlots.filter((slot) => slot >= 0)
    this.#initial = body.map(({ slot }) => data.columns[slot]?.initial ?? null)
    this.#plainSlots = data.shape.plain.map(({ id }) => slotOf.get(id) ?? -1)
    this.#same = body.length === columns.length && body.every(({ slot }, i) => slot === i) && this.#plainSlots.every((slot) => slot < 0)
    this.#blind = data.shape.indexes.flatMap((index, i) => (index.kind === 'plain' ? [] : [{ id: index.id, slots: index.columns.map((id) => slotOf.get(id) ?? -1), collations: data.collations[i] ?? [] }]))
  }

  /**
   * A row of the engine as SQLite holds it, or why it is none: its body is not one, or it lies under another key, or in another place of an index, than it
   * says. (Were that taken, a row of one's own could stand in the place of another's, and be found or not by the way it is looked for.)
   */
  tryOpen(row: Opened): Row | 'body' | 'key' | 'index' {
    let opened: Row
    try {
      opened = this.#open(row)
    } catch (error) {
      if (isSealError(error) && error.family === 'hostile') return 'body'
      throw error
    }
    if (!this.#isAt(row, opened.key)) return 'key'
    return this.#blind.length === 0 || this.#isIndexed(row, opened.values) ? opened : 'index'
  }

  /** As `tryOpen`. Throws `bad-encoding` for what is none. */
  open(row: Opened): Row {
    const opened = this.tryOpen(row)
    if (typeof opened === 'string') throw new SealError('bad-encoding', 'A row is not what its table says: its body is none, or its key another.', { table: this.id, what: opened })
    return opened
  }

  #isAt(row: Opened, key: readonly SqlValue[]): boolean {
    if (this.data.shape.key === 'plain') return equalBytes(tupleOrNone(key), row.rowKey)
    const { key: said } = row
    return said.length === key.length && (said.every((value, i) => value === key[i]) || keyIdentity(canonicalKey(said, [])) === keyIdentity(key))
  }

  /** A row has values for every index that the table has in its view; one that this transaction adds it can't have yet. */
  #isIndexed({ blind }: Opened, values: readonly SqlValue[]): boolean {
    return this.#blind.every((index) => {
      const said = blind.find((each) => each.index === index.id)?.values
      if (said === undefined) return true
      const found = blindValues(index, new RowOfValues(values))
      return said.length === found.length && found.every((value, i) => sameValue(value, said[i]))
    })
  }

  #open(row: Pick<RowView, 'plain' | 'body'>): Row {
    const body = decodeRow(row.body, this.#bodyIds, this.#initial)
    if (this.#same) return { key: this.keyOf(body, null), values: body }
    const values = new Array<SqlValue>(this.data.columns.length).fill(null)
    let rowid: SqlValue = null
    for (let i = 0; i < body.length; i++) {
      const slot = this.#bodySlots[i] as number
      if (slot < 0) rowid = body[i] as SqlValue
      else values[slot] = body[i] as SqlValue
    }
    for (let i = 0; i < this.#plainSlots.length; i++) {
      const slot = this.#plainSlots[i] as number
      if (slot >= 0) values[slot] = row.plain[i] ?? null
    }
    return { key: this.keyOf(values, rowid), values }
  }

  /** `key` canonical. */
  pack(rows: PackedRows, kind: 'insert' | 'update', key: readonly SqlValue[], row: RowSource): void {
    const isKeyed = this.form.nullKey && key.length === this.form.keySlots.length
    const plain = this.#plainSlots.length === 0 ? NONE : this.#plainSlots.map((slot) => valueAt(row, slot))
    const blind = this.#blind.length === 0 ? NONE : this.#blind.map((index) => ({ index: index.id, values: blindValues(index, row) }))
    const writer = rows.put(kind, this.id, key, this.data.shape.key, plain, blind)
    writeBody(writer, isKeyed ? this.#keyedIds : this.#bodyIds, isKeyed ? this.#keyedSlots : this.#bodySlots, row, key[key.length - 1])
    rows.end()
  }

  keyOf(values: readonly SqlValue[], rowid: SqlValue): SqlValue[] {
    const { keySlots, keyCollations, nullKey } = this.form
    if (keySlots.length === 1) {
      const only = values[keySlots[0] as number]
      if (typeof only === 'bigint') return [only]
    }
    return keySlots.length === 0 ? [rowid] : rowKey(keySlots.map((slot) => values[slot] as SqlValue), keyCollations, nullKey ? rowid : undefined)
  }
}

const valueAt = (row: RowSource, slot: number): SqlValue => (slot < 0 ? null : row.value(slot))

function blindValues({ slots, collations }: BlindIndex, row: RowSource): SqlValue[] {
  return slots.map((slot, i) => canonicalValue(valueAt(row, slot), collations[i] ?? 'BINARY'))
}

/** No row lies under a key that is too long for any. */
function tupleOrNone(key: readonly SqlValue[]): Uint8Array {
  try {
    return encodeTuple(key)
  } catch (error) {
    if (isSealError(error, 'key-too-long')) return EMPTY_BYTES
    throw error
  }
}
