/**
 * Write capture: which rows a transaction changed, whatever statements, cascades and triggers did it.
 *
 * TEMP triggers report the *keys* touched; at the end the rows are read by key and compared with what the engine says they were. So only the set of keys
 * must be complete, and more keys than needed cost time, never truth. What SQLite reports by no trigger is the row that REPLACE deletes for another's sake:
 * BEFORE probes look up, in each unique index beside the key, the row that stands in the way. † Without them REPLACE hides deletes.
 *
 * TEMP triggers run before the schema's own, so RAISE(IGNORE) in a developer's trigger can't skip them, and they run inside of triggers and cascades.
 * `recursive_triggers` may be OFF: it only keeps a trigger from starting itself, and these start nothing.
 *
 * A trigger, whatever it does, makes a savepoint of every INSERT and a third of its price. Where all rows come by INSERTs of one row, whoever runs these can tell
 * the rowid instead (`insertsTold`), until something else inserts there (`watchInserts`).
 */
import { type SqlValue } from '../engine/codec/value.js'
import { equalBytes } from '../engine/codec/bytes.js'
import { SealError } from '../engine/errors.js'
import { MAX_TOUCHED_ROWS } from '../engine/limits.js'
import { type RowSource } from './body.js'
import { identityNames, insertTrigger, TRIGGERS, triggersFor, triggerSql } from './capture-triggers.js'
import { canonicalKey, keyIdentity } from './keys.js'
import { RowCursor } from './row-cursor.js'
import { CONSTRAINT_NOTNULL, resultName, type Sqlite, type Statement } from './sqlite.js'
import { type Arguments } from './sqlite/functions.js'
import { describeTable, type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

/** A row changed: exact values of the stored columns (`TableForm.columns`) before and after. Never both undefined, never equal. */
export interface RowDelta {
  readonly table: number
  /** Canonical; see keys.ts. */
  readonly key: readonly SqlValue[]
  readonly before: readonly SqlValue[] | undefined
  /** To be read before the next change is taken. */
  readonly after: RowSource | undefined
}

/** The rows at the transaction's beginning, as the engine verified them. `key` is canonical. */
export interface BaseRows {
  row(table: number, key: readonly SqlValue[]): readonly SqlValue[] | undefined
}

export interface CapturedTable {
  /** The catalog's id. */
  readonly id: number
  readonly name: string
  /** Changes whenever the table or one of its unique indexes does; what is watched under the same one stays as it is. Absent: always anew. */
  readonly version?: object
  /** Each row that is inserted will be told by `inserted`, where the table is one of which a rowid says it all. */
  readonly insertsTold?: boolean
}

interface Installed {
  readonly id: number
  readonly version: object | undefined
  readonly form: TableForm
  /** Key identity → a key by which SQLite finds the row; undefined if the identity is that key, one INTEGER. */
  readonly touched: Map<string | number, readonly SqlValue[] | undefined>
  readonly others: readonly string[]
  /** There is no trigger for rows that are inserted. */
  told: boolean
  read: Statement | undefined
  /** By an integer. */
  cursor: RowCursor | undefined
  /** By a key that holds NULL, and the rowid. */
  readNull: Statement | undefined
}

/** A TEMP trigger of somebody else's, as `sealdb_capture_<table>_<name>`. */
export interface OtherTrigger { readonly name: string; readonly event: string; readonly body: string }

/** By table: key identities, with keys. */
export type Touched = ReadonlyMap<number, ReadonlyMap<string | number, readonly SqlValue[] | undefined>>

/** One per database. Between `begin` and `collect` it notes keys; outside, changes pass unnoticed. */
export class Capture {
  readonly #db: Sqlite
  readonly #tables = new Map<number, Installed>()
  /** Keys of tables that are not watched at the moment. */
  readonly #noted = new Map<number, Installed['touched']>()
  /** Tables whose inserts were to be watched once. */
  readonly #watched = new Set<number>()
  readonly #limit: number
  readonly #others: (id: number, form: TableForm) => readonly OtherTrigger[]
  /** Undoes what was noted since a trial began, and how much was counted. */
  #trial: { readonly count: number; readonly added: (() => void)[] } | undefined
  #active = false
  #count = 0

  /**
   * A statement that touches more than `limit` rows in a transaction fails with `too-large`: an exponential tangle of triggers ends there. `others`: what else
   * is to be told of rows of the tables that are watched.
   */
  constructor(db: Sqlite, limit: number = MAX_TOUCHED_ROWS, others: (id: number, form: TableForm) => readonly OtherTrigger[] = () => []) {
    this.#db = db
    this.#limit = limit
    this.#others = others
    db.createProcedure('sealdb_touch', (args) => {
      if (this.#active) this.#touch(args)
    })
  }

  /**
   * Watch exactly these tables from now on; keys noted of a table stay noted. Again after every change of the schema. Within a transaction it is
   * undone with it: then `uninstall`, and install again.
   */
  install(tables: readonly CapturedTable[]): void {
    const wanted = new Map(tables.map((table) => [table.id, table]))
    for (const [id, table] of [...this.#tables]) {
      const version = wanted.get(id)?.version
      if (version !== undefined && version === table.version) {
        if (wanted.get(id)?.insertsTold !== true) this.watchInserts(id)
        continue
      }
      this.#noted.set(id, table.touched)
      this.#remove(table)
    }
    for (const { id, name, version, insertsTold } of tables) {
      if (this.#tables.has(id)) continue
      const form = describeTable(this.#db, name)
      const others = this.#others(id, form)
      const told = insertsTold === true && !this.#watched.has(id) && others.length === 0 && form.keyIsRowid && form.uniques.length === 0
      for (const sql of triggersFor(id, form, told)) this.#db.exec(sql)
      for (const { name: other, event, body } of others) this.#db.exec(triggerSql(id, form, other, event, [body]))
      this.#tables.set(id, { id, version, form, others: others.map(({ name: other }) => other), told, touched: this.#noted.get(id) ?? new Map(), read: undefined, cursor: undefined, readNull: undefined })
    }
  }

  /** Statements will insert rows that nobody tells: a trigger does from now on. */
  watchInserts(id: number): void {
    const table = this.#tables.get(id)
    this.#watched.add(id)
    if (table?.told !== true) return
    this.#db.exec(insertTrigger(id, table.form))
    table.told = false
  }

  /** A statement is about to insert a row that it tells. Throws `too-large`, before it is too late. */
  expectInsert(): void {
    if (this.#count >= this.#limit) throw this.#tooMany()
  }

  /** It has inserted this row, or none and this is another. Nothing to do where a trigger has said so. */
  inserted(id: number, rowid: number | bigint): void {
    const table = this.#tables.get(id)
    if (!this.#active || table?.told !== true) return
    this.#count++
    this.#note(table, rowid)
  }

  #remove(table: Installed): void {
    finalize(table)
    const { id } = table
    this.#tables.delete(id)
    for (const name of [...TRIGGERS, ...table.others]) this.#db.exec(`DROP TRIGGER IF EXISTS temp.sealdb_capture_${id}_${name}`)
  }

  uninstall(): void {
    for (const table of this.#tables.values()) finalize(table)
    this.#tables.clear()
    for (const [name] of this.#db.all("SELECT name FROM temp.sqlite_schema WHERE type = 'trigger' AND name GLOB 'sealdb_capture_*'")) {
      this.#db.exec(`DROP TRIGGER temp.${quoteName(String(name))}`)
    }
  }

  form(table: number): TableForm {
    return this.#installed(table).form
  }

  /** The transaction must be open already. Forgets what an earlier one touched. */
  begin(): void {
    if (!this.#db.inTransaction) throw new SealError('bad-argument', 'Expected an open transaction.')
    for (const { touched } of this.#tables.values()) touched.clear()
    this.#noted.clear()
    this.#count = 0
    this.#active = true
  }

  /** Run `use` unnoticed: rows that arrive are nobody's change. */
  pause<T>(use: () => T): T {
    const active = this.#active
    this.#active = false
    try {
      return use()
    } finally {
      this.#active = active
    }
  }

  /** As if every row of a table had been touched: one that was filled before it was watched. */
  touchAll(id: number): void {
    const { form } = this.#installed(id)
    this.#db.exec(`SELECT sealdb_touch(${[id, ...identityNames(form)].join(', ')}) FROM main.${quoteName(form.name)}`)
  }

  /** Stop noticing; for a transaction that is given up. */
  abandon(): void {
    this.#active = false
  }

  /**
   * What changed since `begin`, before COMMIT: `take` gets it row by row. Throws `rolled-back` if a statement ended the transaction (OR ROLLBACK, RAISE(ROLLBACK)): then what
   * ran before it is undone and what ran after it is not, so the caller must start over. Check `db.inTransaction` after each failed statement, too.
   */
  collect(base: BaseRows, take: (delta: RowDelta) => void): void {
    this.#active = false
    if (!this.#db.inTransaction) throw new SealError('rolled-back', 'A statement rolled the whole transaction back.')
    for (const table of this.#tables.values()) {
      if (table.touched.size === 0) continue
      const { form } = table
      try {
        table.touched.forEach((noted, identity) => {
          const touchedKey = noted ?? [BigInt(identity)]
          const after = this.#rowNow(table, identity, touchedKey, noted === undefined)
          const key = noted === undefined ? touchedKey : canonicalKey(touchedKey, form.keyCollations)
          const before = base.row(table.id, key)
          if (!isAsBefore(before, after)) take({ table: table.id, key, before, after })
        })
      } finally {
        table.cursor?.reset()
        table.read?.reset()
        table.readNull?.reset()
      }
    }
  }

  #rowNow(table: Installed, identity: string | number, key: readonly SqlValue[], integer: boolean): Statement | undefined {
    const { form } = table
    const slot = integer ? RowCursor.slotOf(form) : undefined
    if (slot !== undefined) return (table.cursor ??= new RowCursor(this.#db, form, slot)).get(Number(identity))
    const byRowid = form.nullKey && key.includes(null)
    const statement = byRowid ? (table.readNull ??= this.#db.prepare(`${readRow(form)} AND ${String(form.rowid)} = ?`)) : (table.read ??= this.#db.prepare(readRow(form)))
    if (!statement.bind(key).step()) return undefined
    if (!byRowid && key.includes(null)) throw nullKey(form)
    return statement
  }

  /** The keys touched so far, to go back to with `restore` when a savepoint is rolled back: what was touched since is as it was then. */
  touchedNow(): Touched {
    const all: [number, Installed['touched']][] = [...this.#noted, ...[...this.#tables].map(([id, { touched }]): [number, Installed['touched']] => [id, touched])]
    return new Map(all.map(([id, touched]) => [id, new Map(touched)]))
  }

  restore(then: Touched): void {
    this.#noted.clear()
    for (const [id, touched] of then) if (!this.#tables.has(id)) this.#noted.set(id, new Map(touched))
    for (const [id, { touched }] of this.#tables) {
      touched.clear()
      for (const [identity, key] of then.get(id) ?? []) touched.set(identity, key)
    }
  }

  /** A statement runs that may be undone: then `undoTrial` forgets what was noted since. */
  beginTrial(): void {
    this.#trial = { count: this.#count, added: [] }
  }
  endTrial(): void {
    this.#trial = undefined
  }
  undoTrial(): void {
    if (this.#trial === undefined) return
    for (const undo of this.#trial.added) undo()
    this.#count = this.#trial.count
    this.#trial = undefined
  }

  /** `key` is canonical. */
  isTouched(id: number, key: readonly SqlValue[]): boolean {
    const [first] = key
    const touched = this.#tables.get(id)?.touched
    if (touched === undefined || touched.size === 0) return false
    return touched.has(keyIdentity(key)) || (key.length === 1 && typeof first === 'bigint' && touched.has(Number(first)))
  }

  /** Canonical keys of rows touched so far. */
  touchedKeys(): { readonly table: number; readonly key: readonly SqlValue[] }[] {
    return [...this.#tables.values()].flatMap(({ id, form, touched }) =>
      [...touched].map(([identity, noted]) => ({ table: id, key: noted === undefined ? [BigInt(identity)] : canonicalKey(noted, form.keyCollations) })))
  }

  /** At most so many rows have changed so far. */
  get touchedCount(): number {
    let count = 0
    for (const { touched } of this.#tables.values()) count += touched.size
    return count
  }

  /** Tables touched so far, for declared reads and live queries. */
  touchedTables(): number[] {
    return [...this.#tables.values()].filter(({ touched }) => touched.size > 0).map(({ id }) => id)
  }

  #touch(args: Arguments): void {
    // Counted by calls, not by rows: one row touched without end is a tangle, too.
    if (++this.#count > this.#limit) throw this.#tooMany()
    const table = this.#installed(args.safeInteger(0) ?? -1)
    // For every row written: one integer, the most common key, takes the short way.
    const integer = args.count === 2 ? args.safeInteger(1) : undefined
    if (integer !== undefined) {
      this.#note(table, integer)
      return
    }
    const key: SqlValue[] = []
    for (let i = 1; i < args.count; i++) key.push(args.value(i))
    // The rowid comes last, and is part of the key only where the rest does not suffice.
    if (table.form.nullKey && !key.slice(0, -1).includes(null)) key.pop()
    this.#noteKey(table, keyIdentity(canonicalKey(key, table.form.keyCollations)), key)
  }

  #tooMany(): SealError {
    return new SealError('too-large', `A transaction touches at most ${this.#limit} rows.`, { limit: this.#limit })
  }

  #note(table: Installed, rowid: number | bigint): void {
    if (typeof rowid === 'bigint') this.#noteKey(table, keyIdentity([rowid]), [rowid])
    else this.#noteKey(table, rowid, undefined)
  }

  #noteKey({ touched }: Installed, identity: string | number, key: readonly SqlValue[] | undefined): void {
    if (touched.has(identity)) return
    touched.set(identity, key)
    this.#trial?.added.push(() => touched.delete(identity))
  }

  #installed(id: number): Installed {
    const table = this.#tables.get(id)
    if (table === undefined) throw new SealError('bad-argument', 'Expected the id of a table that is watched.', { table: id })
    return table
  }
}

function finalize({ read, cursor, readNull }: Installed): void {
  for (const statement of [read, cursor, readNull]) statement?.finalize()
}

/** A declared key is NOT NULL, whether or not the text that SQLite was given says so. */
function nullKey({ name, keyNames }: TableForm): SealError {
  return new SealError('sql-error', `NOT NULL constraint failed: ${keyNames.map((key) => `${name}.${key.replaceAll('"', '')}`).join(', ')}`, { result: CONSTRAINT_NOTNULL, name: resultName(CONSTRAINT_NOTNULL) })
}

/** Equal in value and storage class. */
export function sameValue(a: SqlValue | undefined, b: SqlValue | undefined): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b)
  return a === b
}

export function sameRow(a: readonly SqlValue[] | undefined, b: readonly SqlValue[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false
  return true
}

function isAsBefore(before: readonly SqlValue[] | undefined, after: RowSource | undefined): boolean {
  return before === undefined || after === undefined ? before === after : sameRow(before, after.row())
}

function readRow({ name, columns, keyNames, keyIsRowid }: TableForm): string {
  // IS finds NULL, too: an old-style declared key may hold one.
  const where = keyNames.map((key) => `${key} ${keyIsRowid ? '=' : 'IS'} ?`).join(' AND ')
  return `SELECT ${columns.map((column) => quoteName(column.name)).join(', ')} FROM main.${quoteName(name)} WHERE ${where}`
}
