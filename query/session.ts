/**
 * One connection: statements compiled and run, and the transaction around them. Synchronous but for the commit. Nothing here retries or queues:
 * that is database.ts.
 *
 * BEGIN … SQLite runs, triggers note keys … COMMIT: first the draft is committed to the space, then SQLite commits, so what SQLite shows is never
 * ahead of what is durable and signed.
 *
 * Over 400 lines: what is open, what SQLite has and what the mirror has change together, and splitting them hides the moments at which they may differ.
 */
import { isSealError, SealError } from '../engine/errors.js'
import { later } from '../engine/later.js'
import { type SpaceWriter } from '../engine/space/port.js'
import type { RemoteRows } from '../engine/space/thin/remote.js'
import { type Committed, type Draft, type ObjectId, type Read, type RowRange, type View } from '../engine/space/types.js'
import { Capture, type Touched } from './capture.js'
import { findTable, isTable, noSuchTable, type Schema, type SchemaObject } from './catalog.js'
import { schemaAfter } from './ddl.js'
import { checkPolicies, hasAutoincrement, rowsLookedAt } from './define.js'
import { constants } from './evaluate.js'
import { EXPLAIN_COLUMNS, explainRanges } from './explain.js'
import { Functions } from './functions.js'
import { MAX_RANGES, Mirror, type Part } from './materialise.js'
import { isDone, type MigrationNote } from './migrations.js'
import { Past } from './past.js'
import { rangesOf, type Ranges } from './plan.js'
import { planSchemaOf } from './plan-schema.js'
import type { Probing } from './probing.js'
import type { ProbesContext } from './probes.js'
import { bind, forget, insertsOneRow, parameterOf, PreparedTexts, valuesOf, type ObjectRow, type Outcome, type Prepared } from './prepared.js'
import { type Reach, Roots } from './reach.js'
import { isUniqueInSpace, relationForm, type RelationForm } from './relation-form.js'
import type * as Rare from './rare.js'
import type { Relations } from './relations.js'
import { fetchRows } from './remote.js'
import { rewrite, type Rewritten, type RewriteSchema } from './rewrite.js'
import { foldName } from './sql/names.js'
import { findAll } from './sql/visit.js'
import { CONSTRAINT_FOREIGNKEY, type Sqlite, type SqliteModule, type Statement } from './sqlite.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'
import { toResultValue, type Parameters, type SqlValue } from './values.js'
import type { Trials } from './trial.js'
import { draftOf } from './write.js'

/** Rows or values that one query may ask for before the whole table is the better answer. */
const MAX_POINTS = 32

const ANY_TRIGGER = "SELECT 1 FROM (SELECT type, name FROM main.sqlite_schema UNION ALL SELECT type, name FROM temp.sqlite_schema) WHERE type = 'trigger' AND name NOT GLOB 'sealdb_capture_*'"

const NOTHING: Reach = { reads: new Set(), writes: new Set(), all: false }

const NOT_REWRITTEN: Pick<Rewritten, 'past' | 'relations' | 'histories'> = { past: new Map(), relations: [], histories: [] }

interface Savepoint { readonly name: string; readonly schema: Schema; readonly loaded: number; readonly parts: number; readonly touched: Touched | undefined }

/** A transaction that is open. */
interface Open {
  readonly view: View
  readonly before: Schema
  schema: Schema
  readonly firstNew: ObjectId
  nextNew: ObjectId
  /** Migrations that it is, by the id of their object. */
  readonly notes: Map<ObjectId, MigrationNote>
  readonly savepoints: Savepoint[]
  /** Loaded since it began, in order. */
  readonly loaded: ObjectId[]
  /** Likewise, of tables that are here in part. */
  readonly parts: Part[]
  /** Tables that statements read, if reads are to be declared. */
  readonly reads: Set<ObjectId> | undefined
}

export class Session {
  readonly space: SpaceWriter
  readonly db: Sqlite
  readonly mirror: Mirror
  readonly #capture: Capture
  readonly #texts = new PreparedTexts()
  #roots: Roots | undefined
  #generation = -1
  #open: Open | undefined
  /** Set while a commit is under way: the space's state right after it. */
  #own: View | undefined
  #expecting = false
  /** For which triggers are installed. */
  #watched: { readonly schema: Schema; readonly loads: number } | undefined
  /** Counts statements that ran in SQLite for somebody. */
  statementsRun = 0
  /** Several devices write here. */
  #several: boolean
  readonly #functions: Functions
  /** Both from the first statement on that needs them. */
  #rare: typeof Rare | undefined
  #relations: Relations | undefined
  readonly #past: Past
  readonly #probing: Probing | undefined
  readonly #trials: Trials | undefined
  /** What the present statement turned out to need beside what its text says. */
  #wanted: ReadonlyMap<ObjectId, Ranges> = new Map()
  readonly #loadInParts: number
  readonly #off: () => void

  /** `loadInParts`: see `DatabaseOptions`. `probing`: where rows are elsewhere. */
  constructor(space: SpaceWriter, sqlite: SqliteModule, loadInParts: number, probing?: Probing) {
    const db = sqlite.database()
    this.space = space
    this.#loadInParts = loadInParts
    this.db = db
    this.#capture = new Capture(db, undefined, probing && ((id, form) => probing.triggers(id, form, this.#relation(id))))
    this.#functions = new Functions(db, { space, view: () => this.view, form: (table) => this.#form(table), isWhole: (table) => this.mirror.isLoaded(table) })
    this.mirror = new Mirror(db, this.#capture, space.current)
    this.#probing = probing
    this.#trials = probing?.trials(db, this.#capture, this.#probesContext())
    this.#past = new Past(space, db, () => sqlite.database())
    this.#several = space.current.devices().length > 1
    this.#off = space.on('change', () => {
      if (this.#expecting && this.#own === undefined) this.#own = space.current.retain()
    })
  }

  get inTransaction(): boolean {
    return this.#open !== undefined
  }

  /** The state that statements run on now. */
  get view(): View {
    return this.#open?.view ?? this.mirror.view
  }

  /** The schema that statements see now. */
  get schema(): Schema {
    return this.#open?.schema ?? this.mirror.schema
  }

  /** A statement of this text. Throws `sql-syntax`, `sql-limit`, `unsupported-sql`. */
  prepare(text: string, at?: number): Prepared {
    return this.#texts.get(text, at)
  }

  /** Outside of a transaction: bring the mirror to the present state. The check on every read. */
  sync(): void {
    if (this.#open !== undefined || this.mirror.view === this.space.current) return
    this.mirror.moveTo(this.space.current)
    if (!this.#several && this.mirror.view.devices().length > 1) {
      this.#several = true
      this.#schemaMoved()
    }
  }

  /** What only SealDB has, made ready: past states, relations. Outside of a transaction; inside, only what needs no attaching. Throws `unavailable` for code that can't be fetched. */
  async provide(prepared: Prepared, parameters: Parameters | undefined): Promise<void> {
    if (prepared.kind === 'policy') {
      this.#rare ??= await later(() => import('./rare.js'))
      return
    }
    this.sync()
    this.#rewrite(prepared, parameters)
    const { past, relations, histories } = prepared.rewritten ?? NOT_REWRITTEN
    if (this.#rare === undefined && (relations.length > 0 || histories.length > 0)) {
      this.#rare = await later(() => import('./rare.js'))
      return this.provide(prepared, parameters) // the space may have moved on
    }
    if (this.space.remote !== undefined && (histories.length > 0 || relations.some((name) => name === 'sealdb_log'))) {
      throw new SealError('out-of-scope', 'A thin client keeps no entries, so it has no log and no histories to read: read them on a replica.')
    }
    if (past.size > 0 && !this.#past.has(past)) {
      if (this.#open !== undefined) throw new SealError('unsupported-sql', 'A past state can’t be brought in within a transaction: read it before.', { what: 'AS OF in a transaction' })
      this.#texts.forgetAll()
      this.#rewrite(prepared, parameters)
    }
    if (past.size > 0 && this.#open === undefined) await this.#past.attach(past)
    if (relations.length > 0 || histories.length > 0) {
      const tables = relations.some((name) => name === 'sealdb_quarantine' || name === 'sealdb_log') ? [...this.schema.keys()] : histories
      this.#load(tables)
      this.#relations ??= new (this.#provided().Relations)(this.space, this.mirror)
      await this.#relations.provide(relations, histories, this.view, this.schema)
    }
  }

  #provided(): typeof Rare {
    if (this.#rare === undefined) throw new SealError('invariant', 'A statement was not made ready. Please report this.')
    return this.#rare
  }

  /** What `begin` needs: the present state, and AUTOINCREMENT's counters. */
  ready(): void {
    this.sync()
    if (this.#open === undefined) this.mirror.loadSequence()
  }

  /** Of a space whose rows are elsewhere: what the statement needs is fetched, so that it is here when the statement runs. */
  async fetch(prepared: Prepared, parameters: Parameters | undefined): Promise<void> {
    const { remote } = this.space
    if (remote === undefined || prepared.kind === 'control' || prepared.kind === 'nothing' || isExplainVerified(prepared)) return
    await remote.reach(() => this.ready())
    await fetchRows(remote, this.view, this.schema, this.#needs(prepared, parameters))
  }

  /** What is not here yet of the tables that a statement may touch. */
  #needs(prepared: Prepared, parameters: Parameters | undefined): ReadonlyMap<ObjectId, Ranges> {
    const whole = (tables: Iterable<ObjectId>): Map<ObjectId, Ranges> => new Map([...tables].filter((id) => !this.mirror.isLoaded(id)).map((id) => [id, 'all']))
    if (prepared.kind === 'schema' || prepared.kind === 'policy') {
      const looked = prepared.kind === 'schema' ? rowsLookedAt(prepared.ast, this.db.foreignKeys) : undefined
      const table = looked === undefined || looked === 'all' ? undefined : findTable(this.schema, looked)
      return whole(looked === 'all' ? this.schema.keys() : table === undefined ? [] : [table.id])
    }
    this.#refresh(prepared)
    const reach = this.reach(prepared)
    const needs = whole(reach.all ? this.schema.keys() : this.#tablesOf(reach))
    for (const [id, ranges] of this.#impliedRanges(prepared, parameters, reach) ?? []) if (needs.has(id)) needs.set(id, ranges)
    return needs
  }

  /**
   * `run`, one statement in a transaction. Over rows that are elsewhere it may turn out to look at some that are not here: those are fetched, and if there are
   * any it is run again with them.
   */
  perform<T>(prepared: Prepared, parameters: Parameters | undefined, run: () => T): T | Promise<T> {
    const { remote } = this.space
    // No promise for each of ten thousand statements.
    return remote === undefined || this.#trials === undefined ? run() : this.#performRemotely(remote, this.#trials, prepared, parameters, run)
  }

  async #performRemotely<T>(remote: RemoteRows, trials: Trials, prepared: Prepared, parameters: Parameters | undefined, run: () => T): Promise<T> {
    try {
      return await trials.perform(run, (missing) => this.#isNothing(remote, missing), (lacking) => {
        this.#wanted = lacking
        return this.fetch(prepared, parameters)
      })
    } finally {
      this.#wanted = new Map()
    }
  }

  /** Fetched, these ranges hold no row. */
  async #isNothing(remote: RemoteRows, missing: ReadonlyMap<ObjectId, Ranges>): Promise<boolean> {
    await fetchRows(remote, this.view, this.schema, missing)
    const { view } = this
    return [...missing].every(([id, ranges]) => !view.catalog.some((object) => object.id === id)
      || (ranges === 'all' ? view.count(id) === 0 : ranges.every((range) => view.rows(id, range).next().done === true)))
  }

  /** True if a read can run as it is: the mirror is at the present state and holds what the statement reads. */
  isWarm(prepared: Prepared): boolean {
    return this.#open === undefined && prepared.kind === 'read' && !prepared.special && this.mirror.view === this.space.current
      && prepared.generation === this.mirror.generation && prepared.epoch === this.mirror.epoch
  }

  /** SQL of what identifies a table's rows, each with its collation; empty if that is a rowid without a name. Throws `sql-error` if there is no such table. */
  keyOf(table: string): { readonly name: string; readonly collation: string }[] {
    this.sync()
    const object = findTable(this.schema, table)
    if (object === undefined) throw noSuchTable(table)
    const { form } = this.mirror.binding(object)
    return form.keySlots.map((_, i) => ({ name: form.keyNames[i] as string, collation: form.keyCollations[i] ?? 'BINARY' }))
  }

  /** SQLite with everything of the present state in it. Outside of a transaction. */
  whole(): Sqlite {
    if (this.#open !== undefined) throw new SealError('sql-error', 'cannot export within a transaction', { name: 'SQLITE_ERROR', result: 1 })
    this.sync()
    this.#load(this.schema.keys())
    return this.db
  }

  // ---- transactions ------------------------------------------------------------------------------------------------------------------

  begin(options: { readonly serializable?: boolean } = {}): void {
    if (this.#open !== undefined) throw new SealError('sql-error', 'cannot start a transaction within a transaction', { name: 'SQLITE_ERROR', result: 1 })
    this.sync()
    this.mirror.loadSequence()
    this.db.begin()
    const { view, schema } = this.mirror
    const firstNew = view.nextObject
    this.#open = { view: view.retain(), before: schema, schema, firstNew, nextNew: firstNew, notes: new Map(), savepoints: [], loaded: [], parts: [], reads: options.serializable === true ? new Set() : undefined }
    this.#watch(this.#open)
    this.#capture.begin()
  }

  /** Note in the open transaction that it is this migration. False if that is done already. Throws `migration-conflict`. */
  note(note: MigrationNote): boolean {
    const open = this.#transaction()
    if (isDone(open.view, note)) return false
    open.notes.set(open.nextNew++, note)
    return true
  }

  /** The entry that was written; undefined if nothing changed. If it fails, the transaction is rolled back. */
  async commit(replay?: Uint8Array): Promise<Committed | undefined> {
    const open = this.#transaction()
    // The transaction stays open, as in SQLite: what is missing may still come.
    if (this.db.violatesDeferred) throw new SealError('sql-error', 'FOREIGN KEY constraint failed', { name: 'SQLITE_CONSTRAINT_FOREIGNKEY', result: CONSTRAINT_FOREIGNKEY })
    let committed: Committed | undefined
    try {
      const reads = open.reads === undefined ? [] : [...open.reads].filter((table) => open.before.has(table)).map((table): Read => ({ kind: 'table', table }))
      const { view, before, schema: after, firstNew, nextNew, notes } = open
      // Not `...open`: copying the properties of a large object takes longer than the rest of this.
      const make = (): Draft | undefined => draftOf(this.mirror, this.#capture, { view, before, after, firstNew, nextNew, notes, reads, replay })
      const draft = this.space.remote === undefined ? make() : await this.#makeRemotely(this.space.remote, view, make)
      if (draft !== undefined) {
        this.#expecting = true
        committed = await this.space.commit(draft, open.view)
      }
    } catch (error) {
      this.#expecting = false
      this.#own?.release()
      this.#own = undefined
      this.rollback()
      throw error
    }
    this.#expecting = false
    // The point of no return: the entry is durable, and SQLite's commit in memory can't be refused.
    this.db.commit()
    this.#open = undefined
    open.view.release()
    if (this.#own !== undefined) this.mirror.adopt(this.#own, open.schema)
    this.#own = undefined
    return committed
  }

  /** What was there before is asked for together. Nothing else runs meanwhile: whoever has a transaction open has the connection. */
  async #makeRemotely(remote: RemoteRows, view: View, make: () => Draft | undefined): Promise<Draft | undefined> {
    const stored = new Set(view.catalog.map(({ id }) => id))
    await remote.reachAll(this.#capture.touchedKeys().filter(({ table }) => stored.has(table)).map(({ table, key }) => () => {
      for (const row of view.rows(table, { kind: 'key', key })) void row
    }))
    return remote.reach(make)
  }

  rollback(): void {
    const open = this.#transaction()
    this.#capture.abandon()
    if (this.db.inTransaction) this.db.exec('ROLLBACK')
    this.#open = undefined
    this.mirror.unload(open.loaded)
    for (const part of open.parts.reverse()) this.mirror.unloadPart(part)
    if (this.#trials?.missing !== undefined) this.#trials.undo()
    if (open.schema !== open.before) this.#schemaMoved()
    // Its triggers were rolled back with it.
    this.#capture.uninstall()
    this.#watched = undefined
    open.view.release()
  }

  /** A statement may have ended SQLite's transaction (OR ROLLBACK): then this one is over, too. True if so. */
  wasRolledBack(): boolean {
    if (this.#open === undefined || this.db.inTransaction) return false
    this.rollback()
    return true
  }

  savepoint(name: string): void {
    const open = this.#transaction()
    this.db.exec(`SAVEPOINT ${quoteName(name)}`)
    open.savepoints.push({ name: foldName(name), schema: open.schema, loaded: open.loaded.length, parts: open.parts.length, touched: this.space.remote && this.#capture.touchedNow() })
  }

  /** True if the transaction's first savepoint was released. */
  release(name: string): boolean {
    const open = this.#transaction()
    this.db.exec(`RELEASE ${quoteName(name)}`)
    const at = open.savepoints.findLastIndex((savepoint) => savepoint.name === foldName(name))
    open.savepoints.splice(Math.max(at, 0))
    return at === 0
  }

  rollbackTo(name: string): void {
    const open = this.#transaction()
    this.db.exec(`ROLLBACK TO ${quoteName(name)}`)
    const at = open.savepoints.findLastIndex((savepoint) => savepoint.name === foldName(name))
    const savepoint = open.savepoints[at]
    if (savepoint === undefined) return
    open.savepoints.splice(at + 1)
    this.mirror.unload(open.loaded.splice(savepoint.loaded))
    for (const part of open.parts.splice(savepoint.parts).reverse()) this.mirror.unloadPart(part)
    if (savepoint.touched !== undefined) this.#capture.restore(savepoint.touched)
    if (open.schema !== savepoint.schema) {
      open.schema = savepoint.schema
      this.#schemaMoved()
    }
    this.#rewatch(open)
  }

  // ---- statements --------------------------------------------------------------------------------------------------------------------

  /** Run one statement to its end. Writes and definitions need a transaction. */
  run(prepared: Prepared, parameters: Parameters | undefined): Outcome<ObjectRow> {
    if (isExplainVerified(prepared)) {
      const outcome = this.#explain(prepared, parameters)
      return { ...outcome, rows: outcome.rows.map((row) => Object.fromEntries(row.map((value, i) => [EXPLAIN_COLUMNS[i] as string, toResultValue(value)]))) }
    }
    return this.#run(prepared, parameters, (statement) => statement.resultObject())
  }

  runRaw(prepared: Prepared, parameters: Parameters | undefined): Outcome<SqlValue[]> {
    return isExplainVerified(prepared) ? this.#explain(prepared, parameters) : this.#run(prepared, parameters, (statement) => statement.row())
  }

  #run<Row>(prepared: Prepared, parameters: Parameters | undefined, read: (statement: Statement) => Row): Outcome<Row> {
    if (prepared.kind === 'schema') return this.#define(prepared, () => this.#step(prepared, parameters, read))
    if (prepared.kind === 'policy') return this.#define(prepared, () => nothing(this.#transaction().view))
    try {
      this.#ready(prepared, parameters)
      const step = (): Outcome<Row> => this.#step(prepared, parameters, read)
      return this.#trials === undefined || prepared.kind !== 'write' || this.mirror.allLoaded ? step() : this.#trials.run(this.#mayRollBack(prepared), step)
    } catch (error) {
      if (prepared.ast.kind !== 'insert' || !isMismatch(error)) throw error
      return this.#unwatched(this.#transaction(), prepared, prepared.ast.target.name.text, () => {
        this.#ready(prepared, parameters)
        return this.#step(prepared, parameters, read)
      })
    }
  }

  /** ON CONFLICT ROLLBACK or RAISE(ROLLBACK), here or in a definition, might end the transaction. */
  #mayRollBack({ text }: Prepared): boolean {
    return /rollback/i.test(text) || [...this.schema.values()].some(({ sql }) => /rollback/i.test(sql))
  }

  #probesContext(): ProbesContext {
    const session = (): Session => this
    return {
      get schema() {
        return session().schema
      },
      plan: () => planSchemaOf(this.mirror, this.schema, { probing: this.#probing }),
      relation: (table) => this.#relation(table),
      isHere: (table, range) => this.mirror.holds(table, range),
    }
  }

  /**
   * A table with a trigger is checked for foreign keys that don't fit, one without is not (one row into a parent can't break a child). So a table
   * whose children have such keys is not watched but compared, all of it.
   */
  #unwatched<T>(open: Open, prepared: Prepared, target: string, run: () => T): T {
    const object = findTable(open.schema, target)
    if (object === undefined) return run()
    this.#capture.touchAll(object.id)
    this.#watch(open, object.id)
    forget(prepared)
    try {
      return run()
    } finally {
      forget(prepared)
      if (this.db.inTransaction) {
        this.#watch(open)
        this.#capture.touchAll(object.id)
      }
    }
  }

  #explain({ ast }: Prepared, parameters: Parameters | undefined): Outcome<SqlValue[]> {
    const values = valuesOf({ ast }, parameters) ?? []
    const ranges = rangesOf(ast, planSchemaOf(this.mirror, this.schema, { probing: this.#probing }), constants(this.db, values))
    return { ...nothing<SqlValue[]>(this.view), columns: EXPLAIN_COLUMNS, rows: explainRanges(ranges, this.schema, this.view, this.#probing !== undefined && ast.kind === 'explain' && ast.statement.kind !== 'select') }
  }

  #step<Row>(prepared: Prepared, parameters: Parameters | undefined, read: (statement: Statement) => Row): Outcome<Row> {
    const statement = prepared.statement ?? this.#prepareStatement(prepared)
    if (prepared.insertsInto !== undefined) this.#capture.expectInsert()
    this.#functions.begin()
    this.statementsRun++
    bind(prepared, statement, parameters)
    const rows: Row[] = []
    try {
      while (statement.step()) rows.push(read(statement))
    } finally {
      statement.reset()
    }
    const isWrite = prepared.kind === 'write'
    const changes = isWrite ? this.db.changes : 0
    const lastInsertRowid = isWrite ? toNumber(this.db.lastInsertRowid) : 0
    if (prepared.insertsInto !== undefined && changes > 0) this.#capture.inserted(prepared.insertsInto, lastInsertRowid)
    const outcome = {
      columns: statement.columns,
      rows,
      changes,
      lastInsertRowid,
      head: (this.#open?.view ?? this.mirror.view).head,
    }
    // Settings act when they are prepared, and change what other statements touch.
    if (prepared.ast.kind === 'pragma') this.#texts.forgetAll()
    return outcome
  }

  /** The statement's tables are loaded, and watched if it writes. */
  #ready(prepared: Prepared, parameters: Parameters | undefined): void {
    const { mirror } = this
    if (prepared.generation === mirror.generation && prepared.epoch === mirror.epoch && this.#open?.reads === undefined && this.#wanted.size === 0) return
    this.#refresh(prepared)
    if (!mirror.allLoaded || this.#open?.reads !== undefined) {
      const reach = this.reach(prepared)
      if (this.#loadRanges(prepared, parameters, reach)) {
        prepared.generation = mirror.generation
        return
      }
      this.#load(reach.all ? this.schema.keys() : this.#tablesOf(reach))
      for (const table of this.#open?.reads !== undefined ? [...reach.reads, ...reach.writes] : []) this.#open?.reads?.add(table)
    }
    this.#readyToInsert(prepared)
    prepared.generation = mirror.generation
    prepared.epoch = mirror.epoch
  }

  /** The row that an INSERT brings is told to capture when it has run; if there may be several, triggers tell them. */
  #readyToInsert(prepared: Prepared): void {
    const { ast } = prepared
    if (ast.kind !== 'insert') return
    const table = findTable(this.schema, ast.target.name.text)?.id
    prepared.insertsInto = insertsOneRow(ast) ? table : undefined
    // Where foreign keys are on, SQLite checks more of an INSERT that a trigger watches.
    if (table !== undefined && (prepared.insertsInto === undefined || this.db.foreignKeys)) this.#capture.watchInserts(table)
  }

  /** What was made for another schema is made again. */
  #refresh(prepared: Prepared): void {
    if (prepared.generation === this.mirror.generation) return
    prepared.statement?.finalize()
    prepared.statement = undefined
    prepared.reach = undefined
    if (!prepared.special) this.#rewrite(prepared, undefined)
  }

  /** For the present schema, and the states that parameters name. */
  #rewrite(prepared: Prepared, parameters: Parameters | undefined): void {
    const { ast, text, at } = prepared
    if (!prepared.special && !(this.#several && ast.kind === 'insert')) return
    if (prepared.kind === 'schema') {
      if (findAll(ast, 'table').some(({ asOf }) => asOf !== null)) throw new SealError('unsupported-sql', 'A definition can’t name a past state.', { what: 'AS OF in a definition' })
      return
    }
    if (prepared.kind !== 'read' && prepared.kind !== 'write') return
    const temporary = new Set(this.db.all('SELECT name FROM temp.sqlite_schema').map(([name]) => foldName(String(name))))
    const schema: RewriteSchema = {
      table: (name) => {
        const object = temporary.has(foldName(name)) ? undefined : findTable(this.schema, name)
        return object && { id: object.id, form: this.mirror.binding(object).form }
      },
      ownIds: (table) => this.#drawsIds(table),
    }
    const rewritten = rewrite(text, ast, schema, at, (name, number) => parameterOf(parameters, name, number))
    if (rewritten.sql !== prepared.sql) {
      prepared.statement?.finalize()
      prepared.statement = undefined
      prepared.reach = undefined
    }
    prepared.sql = rewritten.sql
    prepared.rewritten = rewritten
  }

  /** An id that an INSERT leaves out is one of the device's own. */
  #drawsIds(table: ObjectId): boolean {
    return this.#several && !hasAutoincrement(this.schema.get(table)?.sql ?? '')
  }

  #relation(table: ObjectId): RelationForm | undefined {
    const object = this.schema.get(table)
    return object !== undefined && isTable(object) ? relationForm(object, this.mirror.binding(object).form) : undefined
  }

  #form(table: ObjectId): TableForm | undefined {
    const object = this.schema.get(table)
    return object === undefined ? undefined : this.mirror.binding(object).form
  }

  reach(prepared: Prepared): Reach {
    const { ast } = prepared
    if (ast.kind === 'pragma') return { ...NOTHING, all: foldName(ast.name.text).includes('_check') }
    if (ast.kind === 'explain') return NOTHING
    if (this.#generation !== this.mirror.generation || this.#roots === undefined) {
      this.#roots = new Roots(this.db, this.schema)
      this.#generation = this.mirror.generation
    }
    return (prepared.reach ??= this.#roots.reach(this.db, prepared.sql))
  }

  /**
   * A query that implies a few rows of a large table which is not here: only those are loaded. What it does not say goes the long way. True if all
   * that it reads is here now; the next run asks again, since other parameters are other rows.
   */
  #loadRanges(prepared: Prepared, parameters: Parameters | undefined, reach: Reach): boolean {
    const { mirror } = this
    const ranges = this.#impliedRanges(prepared, parameters, reach)
    if (ranges === undefined) return false
    if (this.space.remote === undefined) {
      for (const [id, found] of ranges) {
        const object = this.schema.get(id)
        if (object === undefined || !mirror.loadRanges(object, found)) return false
      }
      mirror.load([...reach.reads].filter((id) => !ranges.has(id)), this.schema)
      return true
    }
    this.#load([...this.#tablesOf(reach)].filter((id) => !ranges.has(id)))
    for (const [id, found] of ranges) this.#loadPart(id, found)
    if (this.#open !== undefined) this.#watch(this.#open)
    return true
  }

  /** Tables that are not here, and of which a query needs some ranges only. Where rows are at hand those are all of the large ones, or it is not worth it. */
  #impliedRanges(prepared: Prepared, parameters: Parameters | undefined, reach: Reach): ReadonlyMap<ObjectId, readonly RowRange[]> | undefined {
    const { mirror } = this
    const remote = this.space.remote !== undefined
    const { all, writes } = reach
    if (prepared.special || all || this.#open?.reads !== undefined) return undefined
    if (remote ? prepared.kind !== 'read' && prepared.kind !== 'write' : this.#open !== undefined || prepared.ast.kind !== 'select' || writes.size > 0) return undefined
    const large = [...this.#tablesOf(reach)].filter((id) => !mirror.isLoaded(id) && (remote || mirror.view.count(id) > this.#loadInParts))
    if (large.length === 0 || this.db.get("SELECT 1 FROM temp.sqlite_schema WHERE name NOT GLOB 'sealdb_capture_*'") !== undefined) return undefined
    const values = valuesOf(prepared, parameters)
    if (values === undefined) return undefined
    const ranges = rangesOf(prepared.ast, planSchemaOf(mirror, this.schema, { draws: (table) => remote && this.#drawsIds(table), probing: this.#probing }), constants(this.db, values))
    const some = new Map<ObjectId, readonly RowRange[]>()
    for (const id of large) {
      const reached = reach.reads.has(id) || reach.writes.has(id)
      const [object, found] = [this.schema.get(id), ranges.get(id) ?? (reached ? undefined : [])]
      // Of rows that collide one is in quarantine: which, only the whole table tells.
      const inParts = object !== undefined && isTable(object) && isUniqueInSpace(relationForm(object, mirror.binding(object).form))
      const few = found !== undefined && found !== 'all' && (remote ? found.length <= MAX_RANGES : found.length <= MAX_POINTS && found.every(({ kind }) => kind === 'key' || kind === 'index'))
      const more = this.#wanted.get(id) ?? []
      if (inParts && few && more !== 'all') some.set(id, [...found, ...more])
      else if (!remote) return undefined
    }
    return some.size === 0 ? undefined : some
  }

  #tablesOf({ reads, writes }: Reach): ReadonlySet<ObjectId> {
    return new Set([...reads, ...writes, ...this.#wanted.keys()])
  }

  #load(tables: Iterable<ObjectId>): void {
    const wanted = [...tables]
    // Of a table that this transaction may have written, the rest.
    const begun = this.space.remote === undefined || this.#open === undefined ? [] : wanted.filter((id) => this.mirror.isPartial(id))
    for (const id of begun) this.#loadPart(id, [{ kind: 'all' }])
    const loaded = this.mirror.load(wanted.filter((id) => !begun.includes(id)), this.schema)
    if (loaded.length === 0 || this.#open === undefined) return
    this.#open.loaded.push(...loaded)
    this.#watch(this.#open)
  }

  #loadPart(table: ObjectId, ranges: readonly RowRange[]): void {
    const part = this.mirror.loadPart(this.schema.get(table) as SchemaObject, ranges)
    if (part !== undefined) this.#open?.parts.push(part)
  }

  #prepareStatement(prepared: Prepared): Statement {
    return (prepared.statement = this.db.prepare(prepared.sql))
  }

  /** A definition, and what it means for the catalog: both or neither. */
  #define<Row>(prepared: Prepared, run: () => Outcome<Row>): Outcome<Row> {
    const open = this.#transaction()
    const { schema, nextNew, loaded } = open
    const count = loaded.length
    this.#beforeDefinition(prepared)
    this.db.exec('SAVEPOINT sealdb_definition')
    try {
      const outcome = run()
      if (prepared.kind === 'schema') this.#afterDefinition(prepared)
      else {
        open.schema = this.#provided().schemaAfterPolicy(this.mirror, open.schema, prepared.ast, prepared.text)
        this.#schemaMoved()
        this.#watch(open)
      }
      checkPolicies(open.schema, schema)
      this.db.exec('RELEASE sealdb_definition')
      return outcome
    } catch (error) {
      if (this.db.inTransaction) {
        this.db.exec('ROLLBACK TO sealdb_definition; RELEASE sealdb_definition')
        this.mirror.unload(loaded.splice(count).filter((id) => !schema.has(id)))
        open.schema = schema
        open.nextNew = nextNew
        this.#schemaMoved()
        this.#rewatch(open)
      }
      throw error
    }
  }

  /** The rows that a definition may look at are there, and ALTER is not to meet our triggers. */
  #beforeDefinition(prepared: Prepared): void {
    forget(prepared)
    if (this.#transaction().parts.length > 0) throw new SealError('unsupported-sql', 'A thin client makes definitions before it writes rows, or in a transaction of their own.', { what: 'a definition after a write, on a thin client' })
    const looked = rowsLookedAt(prepared.ast, this.db.foreignKeys)
    if (looked === 'all') this.#load(this.schema.keys())
    else if (looked !== undefined) {
      const table = findTable(this.schema, looked)
      if (table !== undefined) this.#load([table.id])
    }
    if (prepared.ast.kind === 'alter-table') {
      this.#texts.forgetAll()
      this.#capture.install([])
      this.#watched = undefined
    }
  }

  #afterDefinition(prepared: Prepared): void {
    const open = this.#transaction()
    const before = open.schema
    open.schema = schemaAfter(this.db, before, prepared.ast, () => open.nextNew++)
    this.#schemaMoved()
    for (const object of open.schema.values()) {
      if (object.type !== 'table' || before.has(object.id)) continue
      this.mirror.created(object)
      open.loaded.push(object.id)
    }
    this.#watch(open)
    if (prepared.ast.kind === 'create-table' && prepared.ast.as !== null) {
      for (const object of open.schema.values()) if (object.type === 'table' && !before.has(object.id)) this.#capture.touchAll(object.id)
    }
  }

  /** What was prepared for another schema is of no use. */
  #schemaMoved(): void {
    this.mirror.generation++
    this.#texts.forgetAll()
  }

  /** Every table that a statement can write is loaded, so those are watched. */
  #watch({ schema }: Open, but?: ObjectId): void {
    const { loads } = this.mirror
    if (but === undefined && this.#watched?.schema === schema && this.#watched.loads === loads) return
    this.#watched = but === undefined ? { schema, loads } : undefined
    // A trigger may insert whatever it likes into any table.
    const insertsTold = this.space.remote === undefined && this.db.get(ANY_TRIGGER) === undefined
    this.#capture.install([...schema.values()].flatMap((object) =>
      (object.data !== undefined && object.id !== but && !object.name.startsWith('sqlite_') && (this.mirror.isLoaded(object.id) || (this.space.remote !== undefined && this.mirror.isPartial(object.id))) ? [{ id: object.id, name: object.name, version: object.data, insertsTold }] : [])))
  }

  #rewatch(open: Open): void {
    this.#capture.install([])
    // What has been undone may have brought back triggers of a table that had gone.
    this.#capture.uninstall()
    this.#watched = undefined
    this.#watch(open)
  }

  #transaction(): Open {
    if (this.#open === undefined) throw new SealError('sql-error', 'cannot commit - no transaction is active', { name: 'SQLITE_ERROR', result: 1 })
    return this.#open
  }

  close(): void {
    this.#off()
    if (this.#open !== undefined) this.rollback()
    this.mirror.close()
    this.db.close()
  }
}

function isExplainVerified({ ast }: Prepared): boolean {
  return ast.kind === 'explain' && ast.mode === 'verified'
}

function isMismatch(error: unknown): boolean {
  return isSealError(error, 'sql-error') && error.message.startsWith('foreign key mismatch')
}

function nothing<Row>(view: View): Outcome<Row> {
  return { columns: [], rows: [], changes: 0, lastInsertRowid: 0, head: view.head }
}

function toNumber(rowid: bigint): number | bigint {
  const number = Number(rowid)
  return Number.isSafeInteger(number) ? number : rowid
}
