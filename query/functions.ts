/** SQL functions that only a space can answer: who asks, who wrote a row, and ids of the device's own. */
import { type SqlValue } from '../engine/codec/value.js'
import { SealError } from '../engine/errors.js'
import { type SpaceReader } from '../engine/space/port.js'
import { type ObjectId, type RowView, type UnopenedRow, type View } from '../engine/space/types.js'
import { canonicalKey, rowKey, type Collation } from './keys.js'
import { type Sqlite } from './sqlite.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

export interface FunctionsContext {
  readonly space: SpaceReader
  /** The state that statements run on now. */
  view(): View
  form(table: ObjectId): TableForm | undefined
  /** All of its rows are in SQLite. */
  isWhole(table: ObjectId): boolean
}

/** Ids n · 2³² + k belong to the n-th device after the first, which has those from 1. */
const RANGE = 2n ** 32n

export class Functions {
  readonly #db: Sqlite
  readonly #context: FunctionsContext
  /** The last id that the running statement drew, by table. */
  readonly #drawn = new Map<ObjectId, bigint>()

  constructor(db: Sqlite, context: FunctionsContext) {
    this.#db = db
    this.#context = context
    const { space } = context
    db.createFunction('current_member', 0, () => BigInt(space.me.member))
    db.createFunction('current_role', 0, () => space.me.role ?? null)
    db.createFunction('sealdb_rowid', 1, (table) => this.#draw(Number(table)), { directOnly: true })
    const own = (): bigint => BigInt(space.me.member)
    this.#provenance('author', ({ author }) => author, own)
    this.#provenance('creator', (row) => ('creator' in row ? row.creator : undefined), own)
    this.#provenance('device', ({ device }) => device, () => BigInt(space.me.device))
    this.#provenance('version', ({ version }) => version, () => null)
  }

  /** A statement begins: ids are drawn anew from what is there. */
  begin(): void {
    if (this.#drawn.size > 0) this.#drawn.clear()
  }

  /** Of a row that is not in the space yet: `fresh`. Of one that no row is (the null side of a join): NULL. */
  #provenance(what: string, read: (row: RowView | UnopenedRow) => number | undefined, fresh: () => SqlValue): void {
    this.#db.createFunction(`sealdb_row_${what}`, -1, (table, ...key) => {
      const id = Number(table)
      const form = this.#context.form(id)
      if (form === undefined) return null
      const given = form.nullKey ? key.slice(0, -1) : key
      const rowid = key.at(-1) ?? null
      if (form.nullKey ? rowid === null : given.every((value) => value === null)) return null
      const canonical = form.nullKey ? rowKey(given, form.keyCollations, rowid) : canonicalKey(given, collationsOf(form))
      const view = this.#context.view()
      if (!view.catalog.some((object) => object.id === id)) return fresh()
      for (const row of view.rows(id, { kind: 'key', key: canonical })) {
        const number = read(row)
        return number === undefined ? null : BigInt(number)
      }
      return fresh()
    }, { directOnly: true })
  }

  #draw(table: ObjectId): bigint {
    const whole = this.#context.isWhole(table)
    const last = this.#drawn.get(table) ?? (whole ? this.#greatest(table) : this.#somewhere())
    let next = last + 1n
    while (!whole && this.#isTaken(table, next)) next++
    if (next >= this.#first() + RANGE) throw new SealError('sql-limit', 'This device has used up its ids in this table: give an id.', { table })
    this.#drawn.set(table, next)
    return next
  }

  #first(): bigint {
    return BigInt(this.#context.space.me.device - 1) * RANGE
  }

  /**
   * Who does not hold the rows can't tell the greatest: then a place in the first half of the range that moves with the state, so that there is hardly ever
   * anything. The same when the statement has to be run again.
   */
  #somewhere(): bigint {
    const { stateRoot } = this.#context.view().head
    return this.#first() + BigInt(new DataView(stateRoot.buffer, stateRoot.byteOffset).getUint32(0) >>> 1)
  }

  /** In the space, or by this transaction. */
  #isTaken(table: ObjectId, id: bigint): boolean {
    const form = this.#context.form(table)
    if (form?.rowid !== undefined && this.#db.get(`SELECT 1 FROM main.${quoteName(form.name)} WHERE ${form.rowid} = ?`, [id]) !== undefined) return true
    const view = this.#context.view()
    return view.catalog.some((object) => object.id === table) && view.rows(table, { kind: 'key', key: [id] }).next().done !== true
  }

  /** The greatest of the device's range that is in use. */
  #greatest(table: ObjectId): bigint {
    const form = this.#context.form(table)
    const first = this.#first()
    const [max] = form?.rowid === undefined ? [] : this.#db.get(`SELECT max(${form.rowid}) FROM main.${quoteName(form.name)} WHERE ${form.rowid} > ? AND ${form.rowid} < ?`, [first, first + RANGE]) ?? []
    return typeof max === 'bigint' ? max : first
  }
}

const collationsOf = (form: TableForm): readonly Collation[] => (form.keySlots.length === 0 ? ['BINARY'] : form.keyCollations)
