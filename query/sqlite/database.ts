/**
 * One SQLite database in memory. It owns its statements and user functions and frees them with itself.
 */
import { type SqlValue } from '../../engine/codec/value.js'
import { isSealError, SealError } from '../../engine/errors.js'
import { Arguments, readArguments, writeResult } from './functions.js'
import { FOREIGN_KEYS, TRIGGERS, type Layout } from './layout.js'
import { SQLITE_DONE, SQLITE_OK, sqlError } from './results.js'
import { Statement } from './statement.js'
import { type Wasm } from './wasm.js'

const UTF8 = 1
const DETERMINISTIC = 0x800
const DIRECT_ONLY = 0x80000

export interface FunctionOptions {
  /** Same arguments, same result, within a statement: may be used in indexes and constraints and is hoisted out of loops. */
  readonly deterministic?: boolean
  /** Refused in triggers, views, CHECK, DEFAULT, generated columns and indexes. */
  readonly directOnly?: boolean
}

/** One step of SQLite's program of a statement. */
export interface Instruction {
  readonly opcode: string
  readonly p1: SqlValue
  readonly p2: SqlValue
  readonly p3: SqlValue
}

export class Database {
  readonly #wasm: Wasm
  readonly #layout: Layout
  readonly #statements = new Set<Statement>()
  readonly #functions: number[] = []
  #pointer: number
  #thrown: unknown
  #begin: Statement | undefined
  #commit: Statement | undefined

  /** Use `module.database()`. */
  constructor(wasm: Wasm, layout: Layout) {
    this.#wasm = wasm
    this.#layout = layout
    wasm.assertAlive()
    const name = wasm.writeText(':memory:')
    const code = wasm.c._sqlite3_open(name.pointer, wasm.out)
    this.#pointer = wasm.word(wasm.out)
    if (code !== SQLITE_OK) throw this.takeError(code)
    // Sorters, temporary tables and statement journals would otherwise spill into Emscripten's file system.
    this.exec('PRAGMA temp_store = MEMORY')
  }

  /** The first statement of `sql`. Throws `sql-error` (facts.offset), `bad-argument` if there is none or anything but space and comments follows. */
  prepare(sql: string): Statement {
    const { statement, tail } = this.prepareFirst(sql)
    if (statement === undefined) throw new SealError('bad-argument', 'Expected an SQL statement, found nothing but space and comments.')
    if (tail.trim() !== '') {
      const more = this.prepareFirst(tail)
      if (more.statement !== undefined) {
        more.statement.finalize()
        statement.finalize()
        throw new SealError('bad-argument', 'Expected one SQL statement, found several: use exec, or prepareFirst and its tail.')
      }
    }
    return statement
  }

  /** The first statement of `sql`, undefined if it is only space and comments, and the text after it. */
  prepareFirst(sql: string): { readonly statement: Statement | undefined; readonly tail: string } {
    const db = this.#open()
    const wasm = this.#wasm
    refuseNul(sql)
    const text = wasm.writeText(sql)
    let code: number
    try {
      code = wasm.c._sqlite3_prepare_v2(db, text.pointer, text.length + 1, wasm.out, wasm.out + 4)
    } catch (cause) {
      throw wasm.crash(cause)
    }
    const end = wasm.word(wasm.out + 4)
    const tail = code === SQLITE_OK && end < text.pointer + text.length ? wasm.readText(end, text.pointer + text.length - end, false) : ''
    wasm.release(text.pointer)
    if (code !== SQLITE_OK) throw this.takeError(code)
    const pointer = wasm.word(wasm.out)
    if (pointer === 0) return { statement: undefined, tail }
    const statement = new Statement(this, wasm, this.#layout, pointer, sql)
    this.#statements.add(statement)
    return { statement, tail }
  }

  /** A script; its rows are dropped. Statements before a failing one have run. */
  exec(sql: string): void {
    const db = this.#open()
    const wasm = this.#wasm
    // Not in the scratch area: a user function called by the script would write over the rest of it.
    const bytes = new TextEncoder().encode(sql)
    if (!sql.isWellFormed()) throw new SealError('bad-value', 'Expected well-formed Unicode text, found an unpaired surrogate.')
    refuseNul(sql)
    const pointer = wasm.c._malloc(bytes.length + 1)
    if (pointer === 0) throw sqlError(7, '', -1)
    wasm.u8.set(bytes, pointer)
    wasm.u8[pointer + bytes.length] = 0
    let code: number
    try {
      code = wasm.c._sqlite3_exec(db, pointer, 0, 0, 0)
    } catch (cause) {
      throw wasm.crash(cause)
    }
    wasm.c._free(pointer)
    if (code !== SQLITE_OK) throw this.takeError(code)
  }

  /** BEGIN and COMMIT, kept compiled: around every single write. */
  begin(): void {
    ;(this.#begin ??= this.prepare('BEGIN')).run()
  }

  commit(): void {
    ;(this.#commit ??= this.prepare('COMMIT')).run()
  }

  /** One statement, run to its end. */
  run(sql: string, values: readonly SqlValue[] = []): void {
    this.#once(sql, (statement) => statement.run(values))
  }

  /** One statement's first row, exact. */
  get(sql: string, values: readonly SqlValue[] = []): SqlValue[] | undefined {
    return this.#once(sql, (statement) => statement.get(values))
  }

  /** One statement's rows, exact. */
  all(sql: string, values: readonly SqlValue[] = []): SqlValue[][] {
    return this.#once(sql, (statement) => statement.all(values))
  }

  /** The program that SQLite runs for a statement, without p4: a literal blob there is shown as a text that it need not be. */
  program(sql: string): Instruction[] {
    return this.#once(`EXPLAIN ${sql}`, (statement) => {
      const found: Instruction[] = []
      while (statement.step()) found.push({ opcode: String(statement.value(1)), p1: statement.value(2), p2: statement.value(3), p3: statement.value(4) })
      return found
    })
  }

  /** Rows that the last INSERT, UPDATE or DELETE changed, without triggers and cascades. */
  get changes(): number {
    return this.#wasm.c._sqlite3_changes(this.#open())
  }

  get lastInsertRowid(): bigint {
    return this.#wasm.i64[(this.#open() + this.#layout.lastRowid) >> 3] as bigint
  }

  /** False too after a statement that failed with OR ROLLBACK or RAISE(ROLLBACK): then the transaction is gone, whoever opened it. */
  get inTransaction(): boolean {
    return this.#wasm.u8[this.#open() + this.#layout.autoCommit] === 0
  }

  /** As PRAGMA foreign_keys says. */
  get foreignKeys(): boolean {
    return ((this.#wasm.i32[(this.#open() + this.#layout.flags) >> 2] as number) & FOREIGN_KEYS) !== 0
  }

  /** True if COMMIT would fail for the sake of a deferred foreign key. */
  get violatesDeferred(): boolean {
    const at = (this.#open() + this.#layout.deferred) >> 3
    return (this.#wasm.i64[at] as bigint) + (this.#wasm.i64[at + 1] as bigint) > 0n
  }

  /**
   * Run `use` with the schema's triggers and foreign keys out of force: for rows that are to arrive as they are. TEMP triggers still run (SQLite has it
   * so). Works within a transaction. What is prepared inside keeps to it and is for use inside only: a schema change compiles it anew, under what is
   * then in force.
   */
  silently<T>(use: () => T): T {
    const word = (this.#open() + this.#layout.flags) >> 2
    const switches = FOREIGN_KEYS | TRIGGERS
    const before = (this.#wasm.i32[word] as number) & switches
    this.#wasm.i32[word] = (this.#wasm.i32[word] as number) & ~switches
    try {
      return use()
    } finally {
      this.#wasm.i32[word] = (this.#wasm.i32[word] as number) | before
    }
  }

  /**
   * An SQL function of `arity` arguments (−1: any). Arguments and result are exact: return a bigint for INTEGER. What it throws fails the statement:
   * a SealError arrives as it is, anything else as the cause of an `sql-error`. A second of the same name and arity replaces the first.
   */
  createFunction(name: string, arity: number, f: (...args: SqlValue[]) => SqlValue, options: FunctionOptions = {}): void {
    const wasm = this.#wasm
    this.#define(name, arity, options, (context, count, values) => writeResult(wasm, context, f(...readArguments(wasm, count, values))))
  }

  /** A function for its effect, of any number of arguments, whose value is NULL: for what triggers call for every row. */
  createProcedure(name: string, f: (args: Arguments) => void): void {
    const args = new Arguments(this.#wasm)
    this.#define(name, -1, {}, (_, count, values) => f(args.at(count, values)))
  }

  /** Copy everything of one schema of `source` into a schema of this one, which must have no transaction open. Pages, not rows: fast. */
  copyFrom(source: Database, schema = 'main', sourceSchema = 'main'): void {
    const { c } = this.#wasm
    const names = new TextEncoder().encode(`${sourceSchema}\0${schema}\0`)
    const from = this.#wasm.writeBytes(names)
    const backup = c._sqlite3_backup_init(this.#open(), from + names.indexOf(0) + 1, source.#open(), from)
    if (backup === 0) throw this.takeError(this.#wasm.word(this.#pointer + this.#layout.errorCode) & 255)
    const code = c._sqlite3_backup_step(backup, -1)
    c._sqlite3_backup_finish(backup)
    if (code !== SQLITE_DONE) throw sqlError(code, 'Copying the database failed.', -1)
  }

  /** Frees statements, functions and memory. Twice is fine. */
  close(): void {
    if (this.#pointer === 0) return
    for (const statement of [...this.#statements]) statement.finalize()
    this.#wasm.c._sqlite3_close_v2(this.#pointer)
    this.#pointer = 0
    for (const call of this.#functions) this.#wasm.c.removeFunction(call)
    this.#functions.length = 0
  }

  /** The error of the call that just failed. For this folder. */
  takeError(code: number): SealError {
    const thrown = this.#thrown
    this.#thrown = undefined
    if (isSealError(thrown)) return thrown
    const handle = this.#pointer
    if (handle === 0) return sqlError(7, '', -1)
    const extended = this.#wasm.word(handle + this.#layout.errorCode)
    const message = this.#wasm.readCString(this.#wasm.c._sqlite3_errmsg(handle))
    const known = (extended & 255) === (code & 255) ? extended : code
    return sqlError(known, message, this.#wasm.word(handle + this.#layout.errorOffset), thrown)
  }

  /** A finalized statement. For this folder. */
  forget(statement: Statement): void {
    this.#statements.delete(statement)
  }

  #define(name: string, arity: number, options: FunctionOptions, run: (context: number, count: number, values: number) => void): void {
    const wasm = this.#wasm
    const db = this.#open()
    const call = wasm.c.addFunction((context: number, count: number, values: number) => {
      try {
        run(context, count, values)
      } catch (error) {
        // Nothing may be thrown through SQLite's frames: its own clean-up would not run.
        this.#thrown = error
        const message = wasm.writeText(`${name}() failed`)
        wasm.c._sqlite3_result_error(context, message.pointer, message.length)
      }
    }, 'viii')
    this.#functions.push(call)
    const flags = UTF8 | (options.deterministic === true ? DETERMINISTIC : 0) | (options.directOnly === true ? DIRECT_ONLY : 0)
    const text = wasm.writeText(name)
    const code = wasm.c._sqlite3_create_function_v2(db, text.pointer, arity, flags, 0, call, 0, 0, 0)
    wasm.release(text.pointer)
    if (code !== SQLITE_OK) throw this.takeError(code)
  }

  #once<T>(sql: string, use: (statement: Statement) => T): T {
    const statement = this.prepare(sql)
    try {
      return use(statement)
    } finally {
      statement.finalize()
    }
  }

  #open(): number {
    if (this.#pointer === 0) throw new SealError('bad-argument', 'This database was closed.')
    this.#wasm.assertAlive()
    return this.#pointer
  }
}

/** SQLite would take it for the end of the text and drop the rest. */
function refuseNul(sql: string): void {
  const offset = sql.indexOf('\0')
  if (offset >= 0) throw new SealError('bad-value', 'Expected SQL without a NUL character.', { offset })
}
