/** Rows by an INTEGER PRIMARY KEY. Those that are asked for one after the other, as a bulk INSERT leaves them, are read in one run of the statement. */
import { type Sqlite, type Statement } from './sqlite.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

export class RowCursor {
  readonly #statement: Statement
  readonly #slot: number
  /** What comes after the last key that was asked for. */
  #next: number | undefined
  /** Of the first row that is not before it, unless that was given out: then of that. Undefined at the end. */
  #found: number | undefined
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

  /** The statement, standing on the row until the next is asked for. */
  get(key: number): Statement | undefined {
    if (key !== this.#next) {
      this.#statement.bind([BigInt(key)])
      this.#step()
    } else if (this.#given) this.#step()
    this.#next = key + 1
    if (this.#found !== key) return undefined
    this.#given = true
    return this.#statement
  }

  /** Before the rows change, and when there are no more to be read for now. */
  reset(): void {
    this.#statement.reset()
    this.#next = undefined
    this.#found = undefined
  }

  finalize(): void {
    this.#statement.finalize()
  }

  #step(): void {
    this.#given = false
    this.#found = this.#statement.step() ? this.#statement.double(this.#slot) : undefined
  }
}
