/**
 * Row images into a table of SQLite: the verified rows of the engine, as they are. No trigger of the schema and no foreign key acts.
 *
 * Changes: delete every touched key, then insert the new images, so † unique swaps work in any order. An image that the table refuses is *quarantined*:
 * kept here with the reason, never silently dropped. Of rows that collide in a unique index the older version stays, and which rows are in quarantine
 * is a function of the set of rows alone, whatever the order in which they came: a row is in if no older row that is in collides with it. (Every row in
 * quarantine for a collision has an older one that is in and stands in its way; when that one goes, it is tried again. A table is loaded in parts only
 * where the space itself keeps its rows from colliding.)
 */
import { type SqlValue } from '../engine/codec/value.js'
import { invariant, isSealError } from '../engine/errors.js'
import { keyIdentity, rowKey } from './keys.js'
import { CONSTRAINT_CHECK, CONSTRAINT_DATATYPE, CONSTRAINT_NOTNULL, CONSTRAINT_PRIMARYKEY, CONSTRAINT_ROWID, CONSTRAINT_UNIQUE, type Sqlite, type Statement } from './sqlite.js'
import { isAffinityNormal } from './sqlite/affinity.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

/** `row` holds the stored columns (`TableForm.columns`) exactly, undefined if the row is gone. `version` is the entry that wrote it. */
export interface Image {
  /** Canonical; see keys.ts. */
  readonly key: readonly SqlValue[]
  readonly row: readonly SqlValue[] | undefined
  readonly version: number
}

/** `error`: an expression of the schema (a generated column, an index) fails on it. `key`: the row says another key than its place. */
export type QuarantineReason = 'affinity' | 'not-null' | 'check' | 'datatype' | 'unique' | 'key' | 'error'

export interface Quarantined {
  readonly key: readonly SqlValue[]
  readonly row: readonly SqlValue[]
  readonly version: number
  readonly reason: QuarantineReason
}

type Identity = string | number
interface Row { readonly key: readonly SqlValue[]; readonly row: readonly SqlValue[]; readonly version: number }
interface Statements { insert?: Statement | undefined; collide?: Statement | undefined; read?: Statement | undefined; delete?: Statement | undefined }
interface Held extends Quarantined { readonly blocker: Identity | undefined }

/** One per table; make a new one after a change of the schema. All calls belong within a transaction of the caller's, for speed and for atomicity. */
export class TableImages {
  readonly form: TableForm
  readonly #db: Sqlite
  readonly #versionOf: (key: readonly SqlValue[]) => number
  readonly #held = new Map<Identity, Held>()
  readonly #blocked = new Map<Identity, Set<Identity>>()
  readonly #collations: TableForm['keyCollations']
  /** For rows known by their key, and for those whose key holds NULL. */
  readonly #byKey: Statements = {}
  readonly #byRowid: Statements = {}

  /** `versionOf` tells the version of a row that is in the table, by the state that is being applied. Asked only when rows collide. */
  constructor(db: Sqlite, form: TableForm, versionOf: (key: readonly SqlValue[]) => number) {
    this.#db = db
    this.form = form
    this.#versionOf = versionOf
    this.#collations = form.keyCollations
  }

  quarantined(): IterableIterator<Quarantined> {
    return this.#held.values()
  }

  get quarantinedCount(): number {
    return this.#held.size
  }

  /** Each key at most once. Throws `out-of-memory`; what the table refuses goes into quarantine. */
  apply(images: readonly Image[]): void {
    this.#db.silently(() => {
      const waiting: Row[] = []
      // Out of quarantine first: a row whose own image changes must not be freed as it was.
      if (this.#held.size > 0) for (const { key } of images) this.#release(keyIdentity(key))
      for (const { key } of images) {
        this.#deleteRow(key)
        if (this.#blocked.size > 0) this.#free(keyIdentity(key), waiting)
      }
      for (const { key, row, version } of images) if (row !== undefined) waiting.push({ key, row, version })
      this.#settle(waiting)
    })
  }

  /** Rows whose keys are not there yet: a first load. Returns how many there were. */
  load(rows: Iterable<Image>): number {
    return this.#db.silently(() => {
      let count = 0
      const waiting: Row[] = []
      for (const run of this.form.keyIsRowid ? ascendingRuns(rows) : [rows]) {
        for (const image of run) {
          if (!hasRow(image)) continue
          count++
          this.#place(image, waiting)
          if (waiting.length > 0) this.#settle(waiting)
        }
      }
      return count
    })
  }

  /** Empty the table and the quarantine. */
  clear(): void {
    this.#db.silently(() => this.#db.exec(`DELETE FROM main.${quoteName(this.form.name)}`))
    this.#held.clear()
    this.#blocked.clear()
  }

  /** Frees the statements. */
  close(): void {
    for (const statements of [this.#byKey, this.#byRowid]) {
      for (const what of ['insert', 'collide', 'read', 'delete'] as const) {
        statements[what]?.finalize()
        statements[what] = undefined
      }
    }
  }

  /** Place rows, oldest first, and with them those whose way they free. */
  #settle(waiting: Row[]): void {
    const order = waiting.length > 1 ? waiting.splice(0).sort(older) : waiting.splice(0)
    for (let next = order.shift(); next !== undefined; next = order.shift()) {
      this.#place(next, waiting)
      if (waiting.length > 0) {
        order.push(...waiting.splice(0))
        order.sort(older)
      }
    }
  }

  /** Into the table or into quarantine. Rows that it drives out, and those whose way is free by that, go to `waiting`. */
  #place(row: Row, waiting: Row[]): void {
    const flaw = this.#flaw(row)
    if (flaw !== undefined) return this.#hold(row, flaw, undefined)
    const refusal = this.#tryInsert(row)
    if (refusal === undefined) return
    if (refusal !== 'unique') return this.#hold(row, refusal, undefined)
    const own = keyIdentity(row.key)
    for (;;) {
      const { key: other, rowid } = this.#collider(row)
      const identity = keyIdentity(other)
      if (identity === own) return
      if (rowid !== undefined && this.#hasRowid(row.key) && rowid === row.key.at(-1) && !this.#hasRowid(other) && this.#movesAside(rowid)) continue
      const version = this.#versionOf(other)
      if (older({ key: other, version }, row) < 0) return this.#hold(row, 'unique', identity)
      waiting.push(this.#evict(other, version))
      this.#free(identity, waiting)
    }
  }

  #flaw({ key, row }: Row): QuarantineReason | undefined {
    const { columns, keySlots, keyIsRowid } = this.form
    invariant(row.length === columns.length, 'a row image has one value for each stored column')
    for (let i = 0; i < row.length; i++) if (!isAffinityNormal(row[i] as SqlValue, (columns[i] as TableForm['columns'][number]).affinity)) return 'affinity'
    if (keySlots.length === 0) return typeof key[0] === 'bigint' ? undefined : 'key'
    if (keyIsRowid) {
      const id = row[keySlots[0] as number]
      return typeof id !== 'bigint' ? 'affinity' : id === key[0] ? undefined : 'key'
    }
    const said = rowKey(keySlots.map((slot) => row[slot] as SqlValue), this.#collations, this.form.nullKey ? key.at(-1) : undefined)
    return keyIdentity(said) === keyIdentity(key) ? undefined : 'key'
  }

  #tryInsert({ key, row }: Row): QuarantineReason | undefined {
    const insert = this.#statement('insert', key)
    try {
      this.#bindRow(insert, key, row)
      insert.step()
      insert.reset()
      return undefined
    } catch (error) {
      return refusalOf(error)
    }
  }

  /** Inserts, or says which row is in the way: an upsert that changes nothing returns it, whatever kind of unique index it is. */
  #collider({ key, row }: Row): { readonly key: readonly SqlValue[]; readonly rowid: SqlValue | undefined } {
    const collide = this.#statement('collide', key)
    this.#bindRow(collide, key, row)
    const found = collide.step() ? collide.row() : undefined
    while (collide.step());
    collide.reset()
    invariant(found !== undefined, 'an upsert returns the row that it inserted or met')
    const rowid = this.form.nullKey ? found.at(-1) : undefined
    return { key: rowKey(rowid === undefined ? found : found.slice(0, -1), this.#collations, rowid), rowid }
  }

  /** A row that is known by its key has its rowid by chance: it takes another where one is known by that. */
  #movesAside(rowid: SqlValue): boolean {
    const [table, name] = [`main.${quoteName(this.form.name)}`, String(this.form.rowid)]
    this.#db.run(`UPDATE OR IGNORE ${table} SET ${name} = (SELECT CASE WHEN max(${name}) < ${2n ** 63n - 1n} THEN max(${name}) + 1 ELSE random() END FROM ${table}) WHERE ${name} = ?`, [rowid])
    return this.#db.changes > 0
  }

  #evict(key: readonly SqlValue[], version: number): Row {
    const row = this.#statement('read', key).get(key)
    invariant(row !== undefined, 'a row that collides is in the table')
    this.#deleteRow(key)
    return { key, row, version }
  }

  #deleteRow(key: readonly SqlValue[]): void {
    this.#statement('delete', key).run(key)
  }

  #hold(row: Row, reason: QuarantineReason, blocker: Identity | undefined): void {
    const identity = keyIdentity(row.key)
    this.#held.set(identity, { ...row, reason, blocker })
    if (blocker === undefined) return
    const blocked = this.#blocked.get(blocker)
    if (blocked === undefined) this.#blocked.set(blocker, new Set([identity]))
    else blocked.add(identity)
  }

  #release(identity: Identity): void {
    const blocker = this.#held.get(identity)?.blocker
    this.#held.delete(identity)
    if (blocker === undefined) return
    const blocked = this.#blocked.get(blocker)
    blocked?.delete(identity)
    if (blocked?.size === 0) this.#blocked.delete(blocker)
  }

  /** The row `blocker` is gone from the table: those that it kept out are tried again. */
  #free(blocker: Identity, waiting: Row[]): void {
    const blocked = this.#blocked.get(blocker)
    if (blocked === undefined) return
    this.#blocked.delete(blocker)
    for (const identity of blocked) {
      const held = this.#held.get(identity)
      if (held !== undefined) waiting.push({ key: held.key, row: held.row, version: held.version })
      this.#held.delete(identity)
    }
  }

  /** The rowid is written where it is the key, or joins it. */
  #hasRowid(key: readonly SqlValue[]): boolean {
    const { keySlots } = this.form
    return keySlots.length === 0 || key.length > keySlots.length
  }

  #bindRow(statement: Statement, key: readonly SqlValue[], row: readonly SqlValue[]): void {
    const count = row.length
    for (let i = 0; i < count; i++) statement.bindAt(i + 1, row[i] as SqlValue)
    if (this.#hasRowid(key)) statement.bindAt(count + 1, key.at(-1) as SqlValue)
  }

  #statement(what: keyof Statements, key: readonly SqlValue[]): Statement {
    const withRowid = this.#hasRowid(key)
    return ((withRowid ? this.#byRowid : this.#byKey)[what] ??= this.#db.prepare(this.#sql(what, withRowid)))
  }

  #sql(what: keyof Statements, withRowid: boolean): string {
    const { name, columns, rowid, keyNames, keySlots, keyIsRowid, nullKey } = this.form
    const names = columns.map((column) => quoteName(column.name))
    const table = `main.${quoteName(name)}`
    const where = keyNames.map((key) => `${key} ${keyIsRowid ? '=' : 'IS'} ?`).join(' AND ') + (withRowid && keySlots.length > 0 ? ` AND ${String(rowid)} = ?` : '')
    if (what === 'read') return `SELECT ${names.join(', ')} FROM ${table} WHERE ${where}`
    if (what === 'delete') return `DELETE FROM ${table} WHERE ${where}`
    const written = withRowid && rowid !== undefined ? [...names, rowid] : names
    // OR ABORT: not what the schema's ON CONFLICT clauses would do instead of refusing.
    const insert = `INSERT OR ABORT INTO ${table}(${written.join(', ')}) VALUES (${written.map(() => '?').join(', ')})`
    if (what === 'insert') return insert
    const same = String(names[0])
    return `${insert} ON CONFLICT DO UPDATE SET ${same} = ${same} RETURNING ${[...keyNames, ...(nullKey ? [rowid] : [])].join(', ')}`
  }
}

/** Rows in this many at a time, so that a large table is not held twice. */
const RUN = 32_768

/** Rows come in the order of their tokens, which is none; SQLite is twice as quick where one comes after the other. */
function* ascendingRuns(rows: Iterable<Image>): IterableIterator<readonly Image[]> {
  let run: Image[] = []
  for (const image of rows) {
    run.push(image)
    if (run.length < RUN) continue
    yield ascending(run)
    run = []
  }
  yield ascending(run)
}

function ascending(run: readonly Image[]): readonly Image[] {
  // As numbers: beyond 2^53 the order is only about right, which does no harm.
  const keys = new Float64Array(run.length)
  for (let i = 0; i < run.length; i++) keys[i] = Number((run[i] as Image).key[0])
  const order = new Uint32Array(run.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  order.sort((a, b) => (keys[a] as number) - (keys[b] as number))
  return Array.from(order, (i) => run[i] as Image)
}

function hasRow(image: Image): image is Row {
  return image.row !== undefined
}

/** The one order of rows: by version, then by key (any total order that all replicas share will do). */
function older(a: Pick<Row, 'key' | 'version'>, b: Pick<Row, 'key' | 'version'>): number {
  if (a.version !== b.version) return a.version - b.version
  const [left, right] = [String(keyIdentity(a.key)), String(keyIdentity(b.key))]
  return left < right ? -1 : left > right ? 1 : 0
}

function refusalOf(error: unknown): QuarantineReason {
  if (!isSealError(error)) throw error
  // Out of memory is nobody's fault; a bad-value is the caller's, since no decoder lets one through.
  if (error.code !== 'sql-error') throw error
  switch (error.facts['result']) {
    case CONSTRAINT_UNIQUE:
    case CONSTRAINT_PRIMARYKEY:
    case CONSTRAINT_ROWID:
      return 'unique'
    case CONSTRAINT_NOTNULL:
      return 'not-null'
    case CONSTRAINT_CHECK:
      return 'check'
    case CONSTRAINT_DATATYPE:
      return 'datatype'
    default:
      return 'error'
  }
}
