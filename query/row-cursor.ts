/** Rows by an INTEGER PRIMARY KEY. Those that are asked for one after the other, as a bulk INSERT leaves them, are read in one run of the statement. */
import { type SqlValue } from '../engine/codec/value.js'
import { type Sqlite, type Statement } from './sqlite.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

export class RowCursor {
  readonly #statement: Statement
  readonly #slot: number
  /** What comes after the last key that was asked for. */
  #next: number | undefined
  /** The first row that is not before it, unless that was given out. */
  #row: readonly SqlValue[] | undefined
  #given = false

  constructor(db: Sqlite, { name, columns }: TableForm, slot: number) {
    const names = columns.map((column) => quoteName(column.name))
    this.#statement = db.prepare(`SELECT ${names.join(', ')} FROM main.${quoteName(name)} WHERE ${String(names[slot])} >= ? ORDER BY ${String(names[slot])}`)
    this.#slot = slot
  }

  /** Where the key of this table's rows stands in them, if it is an INTEGER PRIMARY KEY. */
  static slotOf({ keyIsRowid, keySlots }: TableForm): number | undefined {
    return keyIsRowid ? keySlots[0] : undefined
  }

  get(key: number): readonly SqlValue[] | undefined {
    if (key !== this.#next) {
      this.#statement.bind([BigInt(key)])
      this.#step()
    } else if (this.#given) this.#step()
    this.#next = key + 1
    const row = this.#row
    if (row === undefined || Number(row[this.#slot]) !== key) return undefined
    this.#given = true
    return row
  }

  /** Before the rows change, and when there are no more to be read for now. */
  reset(): void {
    this.#statement.reset()
    this.#next = undefined
    this.#row = undefined
  }

  finalize(): void {
    this.#statement.finalize()
  }

  #step(): void {
    this.#given = false
    this.#row = this.#statement.step() ? this.#statement.row() : undefined
  }
}
