/**
 * One prepared statement: bind, step, read, reset. Values are exact (`SqlValue`: bigint is INTEGER, number is REAL) both ways;
 * `resultRow` reads for users instead (integers as numbers while those are safe).
 *
 * A statement is not reentrant: a user function that it calls must not step it. Close statements before or with their database.
 */
import { type Writer } from '../../engine/codec/canonical.js'
import { type SqlValue, VALUE_TAG, writeValue } from '../../engine/codec/value.js'
import { SealError } from '../../engine/errors.js'
import { MAX_VALUE_LENGTH } from '../../engine/limits.js'
import { type Database } from './database.js'
import { type Layout } from './layout.js'
import { SQLITE_DONE, SQLITE_OK, SQLITE_ROW } from './results.js'
import { type RawFunctions, type Wasm } from './wasm.js'

const TRANSIENT = -1
const INTEGER = 1
const REAL = 2
const TEXT = 3
const BLOB = 4
const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** A value as users see it: INTEGER is a number if it is a safe integer, else a bigint. */
export type ResultValue = null | number | bigint | string | Uint8Array

export class Statement {
  readonly sql: string
  /** Number of parameters (the largest index used). */
  readonly parameterCount: number
  readonly #db: Database
  readonly #wasm: Wasm
  readonly #c: RawFunctions
  readonly #layout: Layout
  #pointer: number
  #columns: readonly string[] | undefined
  #state: 'ready' | 'row' | 'done' = 'ready'

  /** Use `db.prepare`. */
  constructor(db: Database, wasm: Wasm, layout: Layout, pointer: number, sql: string) {
    this.#db = db
    this.#wasm = wasm
    this.#c = wasm.c
    this.#layout = layout
    this.#pointer = pointer
    this.sql = sql
    this.parameterCount = new DataView(wasm.memory.buffer).getInt16(pointer + layout.parameterCount, true)
  }

  /** Names of the result's columns; empty if it returns no rows. After a schema change, as of the last step. */
  get columns(): readonly string[] {
    return (this.#columns ??= this.#readColumns())
  }

  get finalized(): boolean {
    return this.#pointer === 0
  }

  /** Index of a named parameter with its prefix (`:a`, `@a`, `$a`, `?5`); 0 if there is none. */
  parameterIndex(name: string): number {
    this.#open()
    const text = this.#wasm.writeText(name)
    const index = this.#c._sqlite3_bind_parameter_index(this.#pointer, text.pointer)
    this.#wasm.release(text.pointer)
    return index
  }

  /** Bind all parameters from the first; those without a value are NULL. Throws `bad-argument` on too many, `bad-value`. */
  bind(values: readonly SqlValue[]): this {
    if (values.length === this.parameterCount) this.reset()
    else this.clear()
    if (values.length > this.parameterCount) throw tooMany(values.length, this.parameterCount)
    for (let i = 0; i < values.length; i++) this.bindAt(i + 1, values[i] as SqlValue)
    return this
  }

  /** Reset and forget all bound values. */
  clear(): void {
    this.reset()
    if (this.parameterCount > 0) this.#c._sqlite3_clear_bindings(this.#pointer)
  }

  /** Parameters count from 1. The statement must not be in the middle of its rows (`reset` first). */
  bindAt(index: number, value: SqlValue): void {
    if (value === null) this.bindNull(index)
    else if (typeof value === 'bigint') this.bindInteger(index, value)
    else if (typeof value === 'number') this.bindReal(index, value)
    else if (typeof value === 'string') this.bindText(index, value)
    else this.bindBlob(index, value)
  }

  bindNull(index: number): void {
    this.#bound(this.#c._sqlite3_bind_text(this.#open(), index, 0, 0, 0), index)
  }

  /** A number must be a safe integer. */
  bindInteger(index: number, value: number | bigint): void {
    const small = typeof value === 'number' ? value : Number(value)
    if (small === (small | 0)) {
      this.#bound(this.#c._sqlite3_bind_int(this.#open(), index, small), index)
      return
    }
    if (typeof value === 'number' ? !Number.isSafeInteger(value) : value > INT64_MAX || value < INT64_MIN) {
      throw new SealError('bad-value', 'Expected an integer within 64 bits.')
    }
    // sql.js exports no bind_int64: bind a small one, then write all 64 bits where it is kept (see layout.ts).
    this.#bound(this.#c._sqlite3_bind_int(this.#open(), index, 0), index)
    const values = this.#wasm.word(this.#pointer + this.#layout.parameters)
    this.#wasm.i64[(values + (index - 1) * this.#layout.valueBytes) >> 3] = BigInt(value)
  }

  /** −0 is bound as 0. Throws `bad-value` on NaN, which SQLite would turn into NULL. */
  bindReal(index: number, value: number): void {
    if (Number.isNaN(value)) throw new SealError('bad-value', 'Expected a number, got NaN: SQLite has none, use NULL.')
    this.#bound(this.#c._sqlite3_bind_double(this.#open(), index, value + 0), index)
  }

  /** Throws `bad-value` on an unpaired surrogate. */
  bindText(index: number, value: string): void {
    const statement = this.#open()
    const { pointer, length } = this.#wasm.writeText(value)
    const code = this.#c._sqlite3_bind_text(statement, index, pointer, length, TRANSIENT)
    this.#wasm.release(pointer)
    this.#bound(code, index)
  }

  bindBlob(index: number, value: Uint8Array): void {
    const statement = this.#open()
    const pointer = this.#wasm.writeBytes(value)
    const code = this.#c._sqlite3_bind_blob(statement, index, pointer, value.length, TRANSIENT)
    this.#wasm.release(pointer)
    this.#bound(code, index)
  }

  /** True if a row is there to be read; false at the end, and from then on until `reset`. Throws `sql-error`, `out-of-memory`, or what a user function threw. */
  step(): boolean {
    if (this.#state === 'done') return false
    const statement = this.#open()
    let code: number
    try {
      code = this.#c._sqlite3_step(statement)
    } catch (cause) {
      throw this.#wasm.crash(cause)
    }
    if (code === SQLITE_ROW) {
      this.#state = 'row'
      return true
    }
    this.#state = 'done'
    if (code === SQLITE_DONE) return false
    const error = this.#db.takeError(code)
    this.reset()
    throw error
  }

  /** The current row, exact. Blobs are copies. Throws `bad-value` on text that isn't UTF-8. */
  row(): SqlValue[] {
    const count = this.#c._sqlite3_column_count(this.#onRow())
    const row = new Array<SqlValue>(count)
    for (let i = 0; i < count; i++) row[i] = this.#read(i, true)
    return row
  }

  /** The current row as users see it, in column order. */
  resultRow(): ResultValue[] {
    const count = this.#c._sqlite3_column_count(this.#onRow())
    const row = new Array<ResultValue>(count)
    for (let i = 0; i < count; i++) row[i] = this.#read(i, false)
    return row
  }

  /** The current row as an object; of columns with one name the last wins. */
  resultObject(): Record<string, ResultValue> {
    this.#onRow()
    const columns = this.columns
    const row: Record<string, ResultValue> = {}
    for (let i = 0; i < columns.length; i++) {
      const name = columns[i] as string
      // An assignment to __proto__ would set the prototype instead of a property.
      if (name === '__proto__') Object.defineProperty(row, name, { value: this.#read(i, false), enumerable: true, configurable: true, writable: true })
      else row[name] = this.#read(i, false)
    }
    return row
  }

  /** Column `i` (from 0) of the current row, exact. */
  value(i: number): SqlValue {
    this.#onRow()
    return this.#read(i, true)
  }

  /** Column `i` of the current row if it is a number, as near as a double comes to it. */
  double(i: number): number {
    return this.#c._sqlite3_column_double(this.#onRow(), i)
  }

  /** `writeValue` of `value(i)`: text and blobs go from SQLite's memory to where they are to lie. Throws as both. */
  writeTo(writer: Writer, i: number): void {
    const c = this.#c
    const statement = this.#onRow()
    switch (c._sqlite3_column_type(statement, i)) {
      case INTEGER: {
        const double = c._sqlite3_column_double(statement, i)
        if (Number.isSafeInteger(double)) writer.u8(VALUE_TAG.integer).integer(double)
        else writeValue(writer, this.#read(i, true))
        return
      }
      case TEXT: {
        const pointer = c._sqlite3_column_text(statement, i)
        const length = c._sqlite3_column_bytes(statement, i)
        this.#wasm.checkText(pointer, length)
        writer.u8(VALUE_TAG.text).bytes(this.#wasm.u8, MAX_VALUE_LENGTH, pointer, pointer + length)
        return
      }
      case BLOB: {
        const pointer = c._sqlite3_column_blob(statement, i)
        const length = c._sqlite3_column_bytes(statement, i)
        writer.u8(VALUE_TAG.blob).bytes(this.#wasm.u8, MAX_VALUE_LENGTH, pointer, pointer + length)
        return
      }
      default:
        writeValue(writer, this.#read(i, true))
    }
  }

  /** Ready to run again with the same values. Ends the statement's read or write. */
  reset(): void {
    if (this.#state === 'ready') {
      this.#open()
      return
    }
    this.#state = 'ready'
    this.#c._sqlite3_reset(this.#open())
  }

  /** Bind, run to the end, reset. */
  run(values: readonly SqlValue[] = []): void {
    this.bind(values)
    try {
      while (this.step());
    } finally {
      this.reset()
    }
  }

  /** Bind, read the first row (exact), reset. */
  get(values: readonly SqlValue[] = []): SqlValue[] | undefined {
    this.bind(values)
    try {
      return this.step() ? this.row() : undefined
    } finally {
      this.reset()
    }
  }

  /** Bind, read all rows (exact), reset. */
  all(values: readonly SqlValue[] = []): SqlValue[][] {
    this.bind(values)
    try {
      const rows: SqlValue[][] = []
      while (this.step()) rows.push(this.row())
      return rows
    } finally {
      this.reset()
    }
  }

  /** Frees it; afterwards every call throws `bad-argument`. Twice is fine. */
  finalize(): void {
    if (this.#pointer === 0) return
    this.#c._sqlite3_finalize(this.#pointer)
    this.#pointer = 0
    this.#db.forget(this)
  }

  #open(): number {
    if (this.#pointer === 0) throw new SealError('bad-argument', 'This statement was finalized.')
    return this.#pointer
  }

  #onRow(): number {
    if (this.#state !== 'row') throw new SealError('bad-argument', 'There is no current row: step() first, and read while it says true.')
    return this.#pointer
  }

  #readColumns(): readonly string[] {
    const statement = this.#open()
    return Array.from({ length: this.#c._sqlite3_column_count(statement) }, (_, i) => this.#wasm.readCString(this.#c._sqlite3_column_name(statement, i)))
  }

  /** The hot path of every scan. */
  #read(i: number, exact: boolean): ResultValue {
    const c = this.#c
    const statement = this.#pointer
    switch (c._sqlite3_column_type(statement, i)) {
      case INTEGER: {
        const double = c._sqlite3_column_double(statement, i)
        if (double < 2 ** 53 && double > -(2 ** 53)) return exact ? BigInt(double) : double
        // There is no column_int64: its decimal text is exact.
        return BigInt(this.#wasm.readCString(c._sqlite3_column_text(statement, i)))
      }
      case REAL:
        return c._sqlite3_column_double(statement, i) + 0
      case TEXT: {
        const pointer = c._sqlite3_column_text(statement, i)
        return this.#wasm.readText(pointer, c._sqlite3_column_bytes(statement, i), exact)
      }
      case BLOB: {
        const pointer = c._sqlite3_column_blob(statement, i)
        return this.#wasm.u8.slice(pointer, pointer + c._sqlite3_column_bytes(statement, i))
      }
      default:
        return null
    }
  }

  #bound(code: number, index: number): void {
    if (code === SQLITE_OK) return
    if (this.#state !== 'ready') throw new SealError('bad-argument', 'A value was bound in the middle of the rows: reset() first.')
    if (index < 1 || index > this.parameterCount) throw tooMany(index, this.parameterCount)
    throw this.#db.takeError(code)
  }
}

function tooMany(found: number, expected: number): SealError {
  return new SealError('bad-argument', `Expected at most ${expected} parameters, found ${found}.`, { expected, found })
}
