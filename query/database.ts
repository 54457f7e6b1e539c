/**
 * A space as an SQL database: what developers call. One connection, one statement at a time; what can't run at once waits its turn. Writes are
 * executed again when the space moved on meanwhile, so a closure given to `transaction` must be safe to run twice.
 *
 * While `transaction(fn)` runs, statements on the database itself wait for it to end: inside, use its argument. BEGIN in text opens a transaction
 * that all callers of this database share until COMMIT, as on one connection of SQLite.
 *
 * Over 400 lines: statements, transactions and scripts share one queue and one rule of when to run again.
 */
import { expected, expectFunction, expectList, expectText } from '../engine/arguments.js'
import { isSealError, SealError } from '../engine/errors.js'
import { later } from '../engine/later.js'
import type { RemoteRows } from '../engine/space/thin/remote.js'
import { type Committed, type ObjectId, type View } from '../engine/space/types.js'
import { encodeReplay, type Replayed } from './replay.js'
import { fromReplayed, notesOf, readMigrations, toReplayed, type Migrated, type Migration, type MigrationNote } from './migrations.js'
import { dropOf } from './objects.js'
import { Reruns, type LostWrite, type Rerun, type Write } from './rerun.js'
import { live, type Live } from './live.js'
import type { Imported, ImportOptions } from './plain-file.js'
import { withPolicies } from './policy-comments.js'
import type { Probing } from './probing.js'
import { Queue } from './queue.js'
import { checkMayLive, checkReadsOnly, type ObjectRow, type Outcome, type Prepared } from './prepared.js'
import { Session } from './session.js'
import {
  type ExportOptions, type PastSql, type PreparedStatement, type QueryOptions, type RawResult, type Result, type RowVersion, type Sql, type SqlSpace,
  textOfTemplate, type TransactionOptions, WAIT,
} from './sql-api.js'
import { failedHalfWay, savepoints, TransactionSql } from './transaction.js'
import { splitStatements } from './sql/parse.js'
import { quoteText } from './sqlite/names.js'
import { openSqlite, type SqliteModule, type SqliteOptions } from './sqlite.js'
import { type QuarantinedRow } from './materialise.js'
import { toResultValue, type Parameters, type ParameterValue } from './values.js'

/** How SQL runs on a space. */
export interface DatabaseOptions {
  readonly sqlite?: SqliteOptions
  /**
   * A table of more rows than this, which is not in SQLite yet, is loaded row by row for as long as queries name the rows they want; whole at the first that does not.
   * Default: 1,000.
   */
  readonly loadInParts?: number
  /** Milliseconds that statements wait for a `transaction` that does not end; then `sql-error` (SQLITE_BUSY). Default: 60,000. */
  readonly busyTimeout?: number
}

/** A table of fewer rows is loaded whole: that is soon done, and then everything is here. */
const LOAD_IN_PARTS = 1_000

/** How often a transaction is executed before it gives up. */
const MAX_ATTEMPTS = 8

/**
 * SQL on a space: `space.db`, whose usual methods a space has itself.
 *
 * @example
 * const { rows } = await space.db.queryRaw('SELECT 1 AS one') // rows: [[1n]]
 */
export class Database implements Sql {
  readonly #space: SqlSpace
  readonly #session: Session
  readonly #sqlite: SqliteModule
  readonly #queue: Queue
  readonly #reruns: Reruns
  readonly #listeners = new Set<(lost: LostWrite) => void>()
  /** Live queries that are to end with this. */
  readonly #live = new Set<() => void>()
  /** Texts and parameters of the transaction that BEGIN in text opened. */
  #recorded: Replayed[] | undefined
  #closed = false

  private constructor(space: SqlSpace, sqlite: SqliteModule, { loadInParts = LOAD_IN_PARTS, busyTimeout }: DatabaseOptions, probing: Probing | undefined) {
    this.#space = space
    this.#queue = new Queue(busyTimeout)
    this.#sqlite = sqlite
    this.#session = new Session(space, sqlite, loadInParts, probing)
    this.#reruns = new Reruns(space, (work) => this.#queue.run(work, 'patient'), (statements) => this.#rerunOf(statements), (lost) => {
      for (const listener of this.#listeners) listener(lost)
    })
  }

  /** Opens a database on `space`, which stays the caller's to close. */
  static async open(space: SqlSpace, options: DatabaseOptions = {}): Promise<Database> {
    const sqlite = await openSqlite(options.sqlite)
    const probing = space.remote === undefined ? undefined : (await later(() => import('./probing.js'))).probing
    return new Database(space, sqlite, options, probing)
  }

  query<T = ObjectRow>(text: string, parameters?: Parameters, options?: QueryOptions): Promise<Result<T>> {
    return this.#submit(text, parameters, options, (prepared) => this.#session.run(prepared, parameters)) as Promise<Result<T>>
  }

  queryRaw(text: string, parameters?: Parameters, options?: QueryOptions): Promise<RawResult> {
    return this.#submit(text, parameters, options, (prepared) => this.#session.runRaw(prepared, parameters))
  }

  sql<T = ObjectRow>(text: TemplateStringsArray, ...values: ParameterValue[]): Promise<Result<T>> {
    return this.query<T>(textOfTemplate(text), values)
  }

  async exec(script: string): Promise<void> {
    for (const { text } of splitStatements(script)) await this.query(text)
  }

  /**
   * A write that the log refused and that could not be executed again: others' changes stand in its way. Returns what stops the listening.
   */
  onLost(listener: (lost: LostWrite) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Counters: statements that were run for callers and live queries, rows that were decrypted for SQLite. */
  get counters(): { readonly statementsRun: number; readonly rowsOpened: number } {
    return { statementsRun: this.#session.statementsRun, rowsOpened: this.#session.mirror.rowsOpened }
  }

  /** Rows of tables in use that the space holds but no query sees, and why. */
  quarantine(): QuarantinedRow[] {
    return this.#session.mirror.quarantined()
  }

  /**
   * A statement to be run many times. Throws `sql-syntax` at once.
   *
   * @example
   * const title = db.prepare('SELECT title FROM task WHERE id = ?')
   * console.log(await title.get([1]), await title.get([2]))
   */
  prepare<T = ObjectRow>(text: string): PreparedStatement<T> {
    const session = this.#session
    session.prepare(text)
    const run = (parameters?: Parameters): Promise<Result<T>> => this.query<T>(text, parameters)
    return {
      run,
      all: async (parameters) => (await run(parameters)).rows,
      get: async (parameters) => (await run(parameters)).rows[0],
      getSync: (parameters) => {
        const prepared = session.prepare(text)
        return this.#queue.idle && session.isWarm(prepared) ? (session.run(prepared, parameters).rows[0] as T | undefined) : WAIT
      },
    }
  }

  /**
   * Run `work` in one transaction: all or nothing, one entry. It is run again, at most 8 times, if the space moved on meanwhile; then `conflict`.
   * All statements of `work` go through `tx`: what is asked of the database itself waits until the transaction has ended, so `work` must not wait for it
   * (after `busyTimeout` it fails: SQLITE_BUSY).
   *
   * @example
   * await db.transaction(async (tx) => { await tx.query('UPDATE task SET done = TRUE WHERE id = ?', [1]) })
   */
  async transaction<T>(work: (tx: Sql) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    expectFunction(work, 'the work of a transaction as a function, async (tx) => …')
    return (await this.#transact(work, options)).result
  }

  /**
   * Every version of the rows of a table, oldest first; with `key`, of that row (an array for a key of several columns).
   *
   * @example
   * for (const { entry, member, operation, row } of await db.history('task', 7)) console.log(entry, member, operation, row)
   */
  async history<T = ObjectRow>(table: string, key?: ParameterValue): Promise<RowVersion<T>[]> {
    this.#refuseClosed()
    expectText(table, 'the name of a table as text')
    const columns = await this.#queue.run(() => Promise.resolve(this.#session.keyOf(table)))
    const values: readonly ParameterValue[] = key === undefined ? [] : Array.isArray(key) ? (key as readonly ParameterValue[]) : [key]
    if (key !== undefined && values.length !== columns.length) throw new SealError('bad-argument', `Expected a key of ${columns.length} values, found ${values.length}.`, { expected: columns.length, found: values.length })
    const where = key === undefined ? '' : ` WHERE ${columns.map(({ name, collation }) => `${name} IS ? COLLATE ${collation}`).join(' AND ')}`
    const { rows } = await this.query<Omit<RowVersion, 'row'> & { readonly _entry: number; readonly _operation: RowVersion['operation']; readonly _member: number | null; readonly _device: number | null }>(
      `SELECT * FROM sealdb_history(${quoteText(table)})${where} ORDER BY _entry`, values)
    return rows.map(({ _entry, _operation, _member, _device, ...row }) => ({ entry: _entry, operation: _operation, member: _member, device: _device, row: row as T }))
  }

  /**
   * Queries on the state after so many entries of the log, verified.
   *
   * @example
   * const before = db.at(3)
   * const { rows } = await before.sql`SELECT * FROM task`
   */
  at(size: number): PastSql {
    const query = <T = ObjectRow>(text: string, parameters?: Parameters, options?: QueryOptions): Promise<Result<T>> => this.query<T>(text, parameters, { ...options, at: size })
    return {
      query,
      queryRaw: (text, parameters, options) => this.queryRaw(text, parameters, { ...options, at: size }),
      sql: (text, ...values) => query(textOfTemplate(text), values),
    }
  }

  /**
   * Do those of `migrations` that were not done in this space yet, each in a transaction, once for everybody: if members race, one entry wins, and the
   * other's is executed again and finds it done. Works offline. Throws `migration-conflict` if another one was done under the same version, here or
   * (`onLost`) when the log shows that another member was first.
   *
   * @example
   * await db.migrate([{ version: 1, up: 'CREATE TABLE tag (name TEXT PRIMARY KEY)' }])
   */
  async migrate(migrations: readonly Migration[]): Promise<Migrated> {
    const notes = await notesOf(migrations)
    const applied: { readonly version: number; readonly name: string; readonly write: Write | undefined }[] = []
    for (const [i, { up }] of migrations.entries()) {
      const note = notes[i] as MigrationNote
      const work = typeof up === 'string' ? (tx: Sql): Promise<void> => tx.exec(up) : up
      const done = await this.#transact((tx) => (this.#session.note(note) ? work(tx).then(() => true) : Promise.resolve(false)), {}, toReplayed(note))
      if (done.result) applied.push({ version: note.version, name: note.name, write: done.write })
    }
    return { version: readMigrations(this.#space.current).at(-1)?.version ?? 0, applied }
  }

  /**
   * Drop an object of the catalog by its number in `sealdb_objects`: one that is not what it says and so no SQL can name, or the note of a migration, which
   * may then be done again. For admins, and for who made it (`rejected`, role). Throws `bad-argument` for what DROP can name.
   *
   * @example
   * for (const { id } of (await db.query('SELECT id FROM sealdb_objects WHERE reason IS NOT NULL')).rows) await db.dropObject(Number(id))
   */
  async dropObject(id: ObjectId): Promise<Write | undefined> {
    const space = this.#space
    const attempt = async (): Promise<Committed> => {
      this.#refuseNesting()
      this.#session.sync()
      const view = space.current
      return space.commit(dropOf(id, view, this.#session.schema), view)
    }
    const committed = await this.#queue.run(() => this.#attempt(attempt))
    return this.#reruns.track(committed, { texts: [`DROP object ${id}`], run: (landed) => this.#attemptUnless(landed, attempt) })
  }

  /**
   * Everything that a query sees, as the bytes of a plain SQLite file: tables (without our words), rows, indexes, views, triggers. It is sealed no more.
   *
   * @example
   * await writeFile('team.db', await db.export(), { mode: 0o600 })
   */
  async export({ policies = false }: ExportOptions = {}): Promise<Uint8Array> {
    const whole = async (): Promise<Uint8Array> => this.#sqlite.toFile(this.#session.whole())
    const bytes = await this.#queue.run(() => (this.#space.remote === undefined ? whole() : this.#space.remote.reach(whole)))
    if (!policies) return bytes
    const { rows } = await this.queryRaw('SELECT "table", sql FROM sealdb_policies')
    const plain = this.#sqlite.fromFile(bytes)
    try {
      withPolicies(plain, rows.map(([table, sql]) => ({ table: String(table), sql: String(sql) })))
      return this.#sqlite.toFile(plain)
    } finally {
      plain.close()
    }
  }

  /**
   * Bring in a plain SQLite file: its tables become sealed ones, in one transaction or, of many rows, a few. What can't be shared is left out and named.
   * Throws, and leaves nothing behind, for a name that is taken and for a row that does not fit its table.
   *
   * @example
   * const { tables, rows, refused } = await db.import(await readFile('other.db'))
   */
  async import(bytes: Uint8Array, options: ImportOptions = {}): Promise<Imported> {
    this.#refuseClosed()
    if (!(bytes instanceof Uint8Array)) throw expected('a SQLite file as bytes (Uint8Array)', bytes)
    const { importFile } = await later(() => import('./plain-file.js'))
    const file = this.#sqlite.fromFile(bytes)
    try {
      return await importFile(this, file, options)
    } finally {
      file.close()
    }
  }

  async #transact<T>(work: (tx: Sql) => Promise<T>, options: TransactionOptions, first?: Replayed): Promise<{ readonly result: T; readonly write: Write | undefined }> {
    // What was committed once is executed again whatever the signal says.
    const attempt = (again: boolean) => async (): Promise<{ result: T; committed: Committed | undefined; texts: readonly string[] }> => {
      const signal = again ? undefined : options.signal
      signal?.throwIfAborted()
      this.#refuseNesting()
      if (this.#space.remote !== undefined) await this.#space.remote.reach(() => this.#session.ready())
      this.#session.begin(options)
      const tx = new TransactionSql(this.#session, first, signal, this.#space.relay !== undefined)
      let result: T
      try {
        result = await this.#queue.hold(() => work(tx))
        signal?.throwIfAborted()
      } catch (error) {
        tx.end()
        if (this.#session.inTransaction) this.#session.rollback()
        throw error
      }
      tx.end()
      return { result, committed: await this.#commitOrRollBack(tx.recorded), texts: tx.texts }
    }
    const { result, committed, texts } = await this.#queue.run(() => this.#attempt(attempt(false)))
    return { result, write: committed && this.#reruns.track(committed, { texts, run: async (landed) => (await this.#attemptUnless(landed, attempt(true)))?.committed }) }
  }

  /**
   * A query that is told again whenever its result changes.
   *
   * @example
   * const stop = db.live('SELECT count(*) AS open FROM task WHERE NOT done').subscribe(({ rows }) => render(rows))
   */
  live<T = ObjectRow>(text: string | TemplateStringsArray, ...parameters: readonly ParameterValue[]): Live<Result<T>> {
    const sql = typeof text === 'string' ? text : textOfTemplate(text)
    this.#refuseClosed()
    checkMayLive(this.#session.prepare(sql))
    const space = this.#space
    return live<Result<T>>({
      run: async () => {
        const { columns, rows, ...rest } = await this.queryRaw(sql, parameters)
        const prepared = this.#session.prepare(sql)
        const reach = this.#session.reach(prepared)
        const objects = rows.map((row) => Object.fromEntries(row.map((value, i) => [columns[i] as string, toResultValue(value)])) as T)
        return { result: { ...rest, columns, rows: objects }, columns, raw: rows, tables: reach.all || prepared.special ? undefined : reach.reads }
      },
      get view() {
        return space.current
      },
      onChange: (listener) => this.#space.on('change', listener),
      onEnd: (listener) => {
        this.#live.add(listener)
        return () => { this.#live.delete(listener) }
      },
    })
  }

  /**
   * Several statements in one transaction.
   *
   * @example
   * await db.batch(['DELETE FROM task WHERE done', { text: 'INSERT INTO task (title) VALUES (?)', parameters: ['next'] }])
   */
  async batch(statements: readonly (string | { readonly text: string; readonly parameters?: Parameters })[], options: TransactionOptions = {}): Promise<Result[]> {
    expectList(statements, 'a list of statements')
    return this.transaction(async (tx) => {
      const results: Result[] = []
      for (const statement of statements) results.push(await (typeof statement === 'string' ? tx.query(statement) : tx.query(statement.text, statement.parameters)))
      return results
    }, options)
  }

  /** Rolls back what is open, and ends live queries. The space stays open. */
  async close(): Promise<void> {
    for (const end of [...this.#live]) end()
    await this.#queue.run(() => {
      if (!this.#closed) {
        this.#reruns.close()
        this.#session.close()
      }
      this.#closed = true
      return Promise.resolve()
    }, 'patient')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- running -----------------------------------------------------------------------------------------------------------------------

  async #submit<T>(text: string, parameters: Parameters | undefined, options: QueryOptions | undefined, run: (prepared: Prepared) => Outcome<T>): Promise<Outcome<T>> {
    options?.signal?.throwIfAborted()
    this.#refuseClosed()
    const session = this.#session
    const at = options?.at
    const prepared = session.prepare(text, at)
    if (options?.readOnly === true) checkReadsOnly(prepared)
    if (this.#queue.idle && session.isWarm(prepared)) return run(prepared)
    return this.#queue.run(async () => {
      options?.signal?.throwIfAborted()
      // By now it may have been pushed out of what is kept.
      const present = session.prepare(text, at)
      if (this.#space.remote !== undefined) return this.#remotely(this.#space.remote, present, parameters, run)
      if (present.special) await session.provide(present, parameters)
      return this.#execute(present, parameters, run)
    })
  }

  /** Rows are elsewhere: what the statement needs is fetched first, and what turns out to be missing then; each time it begins anew. */
  async #remotely<T>(remote: RemoteRows, prepared: Prepared, parameters: Parameters | undefined, run: (prepared: Prepared) => Outcome<T>): Promise<Outcome<T>> {
    const session = this.#session
    const attempt = async (): Promise<Outcome<T>> => {
      if (prepared.special) await session.provide(prepared, parameters)
      await session.fetch(prepared, parameters)
      return this.#execute(prepared, parameters, run)
    }
    // In a transaction there is no going back to its beginning from here.
    return session.inTransaction ? remote.reach(attempt) : this.#attempt(() => remote.reach(attempt))
  }

  async #execute<T>(prepared: Prepared, parameters: Parameters | undefined, run: (prepared: Prepared) => Outcome<T>): Promise<Outcome<T>> {
    const session = this.#session
    if (prepared.kind === 'control') return this.#control(prepared)
    if (prepared.kind === 'nothing') return this.#nothing()
    if (session.inTransaction) {
      try {
        const outcome = await this.#inText(() => session.perform(prepared, parameters, () => run(prepared)))
        this.#recorded?.push({ text: prepared.text, parameters })
        return outcome
      } catch (error) {
        if (session.inTransaction && failedHalfWay(session, prepared)) this.#recorded?.push({ text: prepared.text, parameters, failed: true })
        throw error
      }
    }
    if (prepared.kind === 'read') {
      session.sync()
      return run(prepared)
    }
    const { text } = prepared
    const attempt = async (): Promise<{ outcome: Outcome<T>; committed: Committed | undefined }> => {
      if (this.#space.remote !== undefined) await session.fetch(session.prepare(text), parameters)
      return this.#autocommit([{ text, parameters }], () => session.perform(session.prepare(text), parameters, () => run(session.prepare(text))))
    }
    const { outcome, committed } = await this.#attempt(attempt)
    if (committed === undefined) return outcome
    const write = this.#reruns.track(committed, { texts: [text], run: async (landed) => (await this.#attemptUnless(landed, attempt))?.committed })
    const { columns, rows, changes, lastInsertRowid, head } = outcome
    return { columns, rows, changes, lastInsertRowid, head, write }
  }

  async #autocommit<T>(statements: readonly Replayed[], run: () => T | Promise<T>): Promise<{ outcome: T; committed: Committed | undefined }> {
    const session = this.#session
    session.begin()
    let outcome: T
    try {
      outcome = await run()
    } catch (error) {
      // What the statement did before it failed stays only where OR FAIL says so: SQLite has undone the rest.
      if (isSealError(error, 'out-of-scope')) {
        if (session.inTransaction) session.rollback() // not what the statement came to: it is run again
      } else if (!session.wasRolledBack()) await this.#commitOrRollBack(statements.map((statement) => ({ ...statement, failed: true })))
      throw error
    }
    return { outcome, committed: await this.#commitOrRollBack(statements) }
  }

  async #commitOrRollBack(statements: readonly Replayed[] | undefined): Promise<Committed | undefined> {
    try {
      return await this.#session.commit(this.#replayOf(statements))
    } catch (error) {
      if (this.#session.inTransaction) this.#session.rollback()
      throw error
    }
  }

  /** Without a relay what is committed is in the log; if it got one while a closure ran, that one can be run again in this process only. */
  #replayOf(statements: readonly Replayed[] | undefined): Uint8Array | undefined {
    return this.#space.relay === undefined || statements === undefined ? undefined : encodeReplay(statements)
  }

  #rerunOf(statements: readonly Replayed[]): Rerun {
    const attempt = async (): Promise<Committed | undefined> => {
      const session = this.#session
      this.#refuseNesting()
      await this.#provideAgain(statements)
      if (this.#space.remote !== undefined) await this.#space.remote.reach(() => session.ready())
      session.begin()
      try {
        for (const statement of statements) if (!(await this.#again(statement))) break
      } catch (error) {
        // As the first time: a transaction that fails has done nothing, a statement by itself what OR FAIL left of it.
        if (!session.wasRolledBack()) {
          if (statements.length === 1) await this.#commitOrRollBack(statements)
          else session.rollback()
        }
        throw error
      }
      return this.#commitOrRollBack(statements)
    }
    return { texts: statements.map(({ text }) => text), run: (landed) => this.#attemptUnless(landed, attempt) }
  }

  /** Past states can't be brought in within a transaction, so those that its statements read come before it. */
  async #provideAgain(statements: readonly Replayed[]): Promise<void> {
    for (const { text, parameters } of statements) {
      const prepared = fromReplayed({ text, parameters }) === undefined ? this.#session.prepare(text) : undefined
      if (prepared?.special !== true) continue
      try {
        await this.#session.provide(prepared, parameters)
      } catch (error) {
        // A table that the transaction itself makes is not there yet: when its turn comes it is asked again.
        if (!isSealError(error) || error.family !== 'usage') throw error
      }
    }
  }

  /** One statement of a transaction that is executed again; false if the rest has been done. */
  async #again(statement: Replayed): Promise<boolean> {
    const note = fromReplayed(statement)
    if (note !== undefined) return this.#session.note(note)
    const prepared = this.#session.prepare(statement.text)
    if (prepared.special) await this.#session.provide(prepared, statement.parameters)
    if (this.#space.remote !== undefined) await this.#session.fetch(prepared, statement.parameters)
    if (prepared.kind === 'control') savepoints(this.#session, prepared.ast)
    else {
      try {
        await this.#session.perform(prepared, statement.parameters, () => this.#session.run(prepared, statement.parameters))
      } catch (error) {
        // As it did the first time, when whoever ran it went on.
        if (statement.failed !== true || !isSealError(error, 'sql-error') || !this.#session.inTransaction) throw error
      }
    }
    return true
  }

  /** A statement within a transaction; it may end it (OR ROLLBACK). */
  async #inText<T>(run: () => Outcome<T> | Promise<Outcome<T>>): Promise<Outcome<T>> {
    try {
      return await run()
    } catch (error) {
      if (this.#session.wasRolledBack()) this.#endText()
      throw error
    }
  }

  async #control<T>({ ast, text }: Prepared): Promise<Outcome<T>> {
    const session = this.#session
    switch (ast.kind) {
      case 'begin':
        if (this.#space.remote !== undefined) await this.#space.remote.reach(() => session.ready())
        session.begin()
        this.#recorded = []
        break
      case 'savepoint':
        if (!session.inTransaction) {
          session.begin()
          this.#recorded = []
          this.#bySavepoint = true
        }
        session.savepoint(ast.name.text)
        this.#recorded?.push({ text, parameters: undefined })
        break
      case 'commit':
        await this.#commitText('cannot commit - no transaction is active')
        break
      case 'rollback':
        if (!session.inTransaction) throw noTransaction(ast.to === null ? 'cannot rollback - no transaction is active' : `no such savepoint: ${ast.to.text}`)
        if (ast.to === null) {
          session.rollback()
          this.#endText()
        } else {
          session.rollbackTo(ast.to.text)
          this.#recorded?.push({ text, parameters: undefined })
        }
        break
      case 'release':
        if (!session.inTransaction) throw noTransaction(`no such savepoint: ${ast.name.text}`)
        if (session.release(ast.name.text) && this.#bySavepoint) await this.#commitText('')
        else this.#recorded?.push({ text, parameters: undefined })
        break
      default:
        throw new SealError('invariant', 'Not a statement about transactions. Please report this.')
    }
    return this.#nothing()
  }
  /** The open transaction began with SAVEPOINT: releasing that commits. */
  #bySavepoint = false

  async #commitText(message: string): Promise<void> {
    const session = this.#session
    if (!session.inTransaction) throw noTransaction(message)
    const rerun = this.#rerunOf(this.#recorded ?? [])
    let committed: Committed | undefined
    try {
      committed = await session.commit(this.#replayOf(this.#recorded ?? []))
      this.#endText()
    } catch (error) {
      if (!session.inTransaction) this.#endText()
      if (!isSealError(error, 'stale-view')) throw error
      // The space moved on: the same statements again.
      committed = await rerun.run(() => false)
    }
    if (committed !== undefined) this.#reruns.track(committed, rerun)
  }

  #endText(): void {
    this.#recorded = undefined
    this.#bySavepoint = false
  }

  #nothing<T>(): Outcome<T> {
    return { columns: [], rows: [], changes: 0, lastInsertRowid: 0, head: this.#view.head }
  }

  get #view(): View {
    return this.#session.mirror.view
  }

  #refuseClosed(): void {
    if (this.#closed) throw new SealError('bad-argument', 'This database was closed.')
  }

  #refuseNesting(): void {
    this.#refuseClosed()
    if (this.#session.inTransaction) throw noTransaction('cannot start a transaction within a transaction')
  }

  /** Again while the space moves on under it, with a bound. */
  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    return (await this.#attemptUnless(() => false, work)) as T
  }

  /** As `#attempt`; undefined once `landed`. It is asked in the same turn in which `work` takes its view: what lands later makes that view a stale one. */
  async #attemptUnless<T>(landed: () => boolean, work: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; ; attempt++) {
      if (landed()) return undefined
      try {
        return await work()
      } catch (error) {
        if ((await this.#space.remote?.supply(error)) === true) {
          attempt--
          continue
        }
        if (!isSealError(error, 'stale-view')) throw error
        if (attempt === MAX_ATTEMPTS) throw new SealError('conflict', `The space kept changing while this transaction ran, ${MAX_ATTEMPTS} times over.`, { attempts: attempt }, { cause: error })
      }
    }
  }
}

function noTransaction(message: string): SealError {
  return new SealError('sql-error', message, { name: 'SQLITE_ERROR', result: 1 })
}

export { WAIT }
export type { Imported, ImportOptions, LostWrite, Migrated, Migration, QueryOptions, RawResult, Result, RowVersion, Sql, SqlSpace, TransactionOptions, Write }
