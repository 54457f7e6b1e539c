/**
 * A space as an SQL database: what developers call. One connection, one statement at a time; what can't run at once waits its turn. Writes are
 * executed again when the space moved on meanwhile, so a closure given to `transaction` must be safe to run twice.
 *
 * While `transaction(fn)` runs, statements on the database itself wait for it to end: inside, use its argument. BEGIN in text opens a transaction
 * that all callers of this database share until COMMIT, as on one connection of SQLite.
 */
import { isSealError, SealError } from '../engine/errors.js'
import { type SpaceWriter } from '../engine/space/port.js'
import { type Committed, type Head, type View } from '../engine/space/types.js'
import { Queue } from './queue.js'
import { Session, type ObjectRow, type Outcome, type Prepared } from './session.js'
import { splitStatements } from './sql/parse.js'
import { type Statement as Ast } from './sql/ast.js'
import { openSqlite, type SqliteOptions } from './sqlite.js'
import { type QuarantinedRow } from './materialise.js'
import { type Parameters, type ParameterValue, type SqlValue } from './values.js'

export interface DatabaseOptions {
  readonly sqlite?: SqliteOptions
}

export interface Result<T = ObjectRow> {
  /** By column name; of columns with one name the last wins. */
  readonly rows: T[]
  readonly columns: readonly string[]
  /** Rows that the statement itself changed. */
  readonly changes: number
  readonly lastInsertRowid: number | bigint
  /** The state that was read, or written on. */
  readonly head: Head
}

export interface RawResult extends Omit<Result, 'rows'> {
  /** Exact values in column order: bigint is INTEGER, number is REAL. */
  readonly rows: SqlValue[][]
}

export interface QueryOptions {
  /** Checked before the statement begins; what has begun is not interrupted. */
  readonly signal?: AbortSignal
}

export interface TransactionOptions {
  /** Declare every table that is read: the transaction is refused, and executed again, if one of them changed before it landed. */
  readonly serializable?: boolean
}

/** What runs SQL: a database, or a transaction in it. */
export interface Sql {
  query<T = ObjectRow>(text: string, parameters?: Parameters, options?: QueryOptions): Promise<Result<T>>
  queryRaw(text: string, parameters?: Parameters, options?: QueryOptions): Promise<RawResult>
  /** A script. Its statements run one by one; those before a failing one have run. */
  exec(script: string): Promise<void>
  sql<T = ObjectRow>(text: TemplateStringsArray, ...values: ParameterValue[]): Promise<Result<T>>
}

export interface PreparedStatement<T = ObjectRow> {
  all(parameters?: Parameters): Promise<T[]>
  get(parameters?: Parameters): Promise<T | undefined>
  run(parameters?: Parameters): Promise<Result<T>>
  /**
   * The first row at once, if that needs no waiting: a read of what is verified, decrypted and here already. `wait` says that it does.
   */
  getSync(parameters?: Parameters): T | undefined | typeof WAIT
}
export const WAIT = Symbol('wait')

/** How often a transaction is executed before it gives up. */
const MAX_ATTEMPTS = 8

export class Database implements Sql {
  readonly #session: Session
  readonly #queue = new Queue()
  /** Texts and parameters of the transaction that BEGIN in text opened. */
  #recorded: { readonly prepared: Prepared; readonly parameters: Parameters | undefined }[] | undefined
  #closed = false

  private constructor(session: Session) {
    this.#session = session
  }

  /** Opens a database on `space`, which stays the caller's to close. */
  static async open(space: SpaceWriter, options: DatabaseOptions = {}): Promise<Database> {
    const sqlite = await openSqlite(options.sqlite)
    return new Database(new Session(space, sqlite.database()))
  }

  query<T = ObjectRow>(text: string, parameters?: Parameters, options?: QueryOptions): Promise<Result<T>> {
    return this.#submit(text, parameters, options, (prepared) => this.#session.run(prepared, parameters)) as Promise<Result<T>>
  }

  queryRaw(text: string, parameters?: Parameters, options?: QueryOptions): Promise<RawResult> {
    return this.#submit(text, parameters, options, (prepared) => this.#session.runRaw(prepared, parameters))
  }

  sql<T = ObjectRow>(text: TemplateStringsArray, ...values: ParameterValue[]): Promise<Result<T>> {
    return this.query<T>(text.join('?'), values)
  }

  async exec(script: string): Promise<void> {
    for (const { text } of splitStatements(script)) await this.query(text)
  }

  /** Rows of tables in use that the space holds but no query sees, and why. */
  quarantine(): QuarantinedRow[] {
    return this.#session.mirror.quarantined()
  }

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
   *
   * @example
   * await db.transaction(async (tx) => { await tx.query('UPDATE task SET done = TRUE WHERE id = ?', [1]) })
   */
  transaction<T>(work: (tx: Sql) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#queue.run(() => this.#attempt(async () => {
      this.#refuseNesting()
      this.#session.begin(options)
      const tx = new TransactionSql(this.#session)
      let result: T
      try {
        result = await work(tx)
      } catch (error) {
        tx.end()
        if (this.#session.inTransaction) this.#session.rollback()
        throw error
      }
      tx.end()
      await this.#commitOrRollBack()
      return result
    }))
  }

  /** Several statements in one transaction. */
  batch(statements: readonly (string | { readonly text: string; readonly parameters?: Parameters })[], options: TransactionOptions = {}): Promise<Result[]> {
    return this.transaction(async (tx) => {
      const results: Result[] = []
      for (const statement of statements) results.push(await (typeof statement === 'string' ? tx.query(statement) : tx.query(statement.text, statement.parameters)))
      return results
    }, options)
  }

  /** Rolls back what is open. The space stays open. */
  async close(): Promise<void> {
    await this.#queue.run(() => {
      if (!this.#closed) this.#session.close()
      this.#closed = true
      return Promise.resolve()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- running -----------------------------------------------------------------------------------------------------------------------

  async #submit<T>(text: string, parameters: Parameters | undefined, options: QueryOptions | undefined, run: (prepared: Prepared) => Outcome<T>): Promise<Outcome<T>> {
    options?.signal?.throwIfAborted()
    if (this.#closed) throw new SealError('bad-argument', 'This database was closed.')
    const session = this.#session
    const prepared = session.prepare(text)
    if (this.#queue.idle && session.isWarm(prepared)) return run(prepared)
    return this.#queue.run(() => {
      options?.signal?.throwIfAborted()
      return this.#execute(prepared, parameters, run)
    })
  }

  async #execute<T>(prepared: Prepared, parameters: Parameters | undefined, run: (prepared: Prepared) => Outcome<T>): Promise<Outcome<T>> {
    const session = this.#session
    if (prepared.kind === 'control') return this.#control(prepared.ast)
    if (prepared.kind === 'nothing') return this.#nothing()
    if (session.inTransaction) {
      const outcome = this.#inText(() => run(prepared))
      this.#recorded?.push({ prepared, parameters })
      return outcome
    }
    if (prepared.kind === 'read') {
      session.sync()
      return run(prepared)
    }
    return this.#attempt(() => this.#autocommit(() => run(prepared)))
  }

  async #autocommit<T>(run: () => Outcome<T>): Promise<Outcome<T>> {
    const session = this.#session
    session.begin()
    let outcome: Outcome<T>
    try {
      outcome = run()
    } catch (error) {
      // What the statement did before it failed stays only where OR FAIL says so: SQLite has undone the rest.
      if (!session.wasRolledBack()) await this.#settleFailed()
      throw error
    }
    await this.#commitOrRollBack()
    return outcome
  }

  async #settleFailed(): Promise<void> {
    await this.#commitOrRollBack()
  }

  async #commitOrRollBack(): Promise<void> {
    try {
      await this.#session.commit()
    } catch (error) {
      if (this.#session.inTransaction) this.#session.rollback()
      throw error
    }
  }

  /** A statement within a transaction; it may end it (OR ROLLBACK). */
  #inText<T>(run: () => Outcome<T>): Outcome<T> {
    try {
      return run()
    } catch (error) {
      if (this.#session.wasRolledBack()) this.#endText()
      throw error
    }
  }

  async #control<T>(ast: Ast): Promise<Outcome<T>> {
    const session = this.#session
    switch (ast.kind) {
      case 'begin':
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
        break
      case 'commit':
        await this.#commitText('cannot commit - no transaction is active')
        break
      case 'rollback':
        if (!session.inTransaction) throw noTransaction(ast.to === null ? 'cannot rollback - no transaction is active' : `no such savepoint: ${ast.to.text}`)
        if (ast.to === null) {
          session.rollback()
          this.#endText()
        } else session.rollbackTo(ast.to.text)
        break
      case 'release':
        if (!session.inTransaction) throw noTransaction(`no such savepoint: ${ast.name.text}`)
        if (session.release(ast.name.text) && this.#bySavepoint) await this.#commitText('')
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
    const recorded = this.#recorded ?? []
    try {
      await session.commit()
      this.#endText()
    } catch (error) {
      if (!session.inTransaction) this.#endText()
      if (!isSealError(error, 'stale-view')) throw error
      // The space moved on: the same statements again.
      await this.#attempt(async () => {
        session.begin()
        try {
          for (const { prepared, parameters } of recorded) session.run(prepared, parameters)
        } catch (failure) {
          if (session.inTransaction) session.rollback()
          throw failure
        }
        await this.#commitOrRollBack()
      })
    }
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

  #refuseNesting(): void {
    if (this.#session.inTransaction) throw noTransaction('cannot start a transaction within a transaction')
  }

  /** Again while the space moves on under it, with a bound. */
  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (!isSealError(error, 'stale-view')) throw error
        if (attempt === MAX_ATTEMPTS) throw new SealError('conflict', `The space kept changing while this transaction ran, ${MAX_ATTEMPTS} times over.`, { attempts: attempt }, { cause: error })
      }
    }
  }
}

/** The argument of `transaction(fn)`; of no use once that ended. */
class TransactionSql implements Sql {
  readonly #session: Session
  #ended = false

  constructor(session: Session) {
    this.#session = session
  }

  end(): void {
    this.#ended = true
  }

  query<T = ObjectRow>(text: string, parameters?: Parameters, options?: QueryOptions): Promise<Result<T>> {
    return this.#run(text, options, (prepared) => this.#session.run(prepared, parameters)) as Promise<Result<T>>
  }

  queryRaw(text: string, parameters?: Parameters, options?: QueryOptions): Promise<RawResult> {
    return this.#run(text, options, (prepared) => this.#session.runRaw(prepared, parameters))
  }

  sql<T = ObjectRow>(text: TemplateStringsArray, ...values: ParameterValue[]): Promise<Result<T>> {
    return this.query<T>(text.join('?'), values)
  }

  async exec(script: string): Promise<void> {
    for (const { text } of splitStatements(script)) await this.query(text)
  }

  #run<T>(text: string, options: QueryOptions | undefined, run: (prepared: Prepared) => Outcome<T>): Promise<Outcome<T>> {
    return Promise.resolve().then(() => {
      options?.signal?.throwIfAborted()
      if (this.#ended) throw new SealError('bad-argument', 'This transaction has ended.')
      const prepared = this.#session.prepare(text)
      if (prepared.kind === 'control') return this.#control(prepared.ast)
      try {
        return run(prepared)
      } catch (error) {
        this.#session.wasRolledBack()
        throw error
      }
    })
  }

  /** Savepoints are the closure's own; the transaction is not its to end. */
  #control<T>(ast: Ast): Outcome<T> {
    const session = this.#session
    if (ast.kind === 'savepoint') session.savepoint(ast.name.text)
    else if (ast.kind === 'release') session.release(ast.name.text)
    else if (ast.kind === 'rollback' && ast.to !== null) session.rollbackTo(ast.to.text)
    else throw new SealError('bad-argument', 'A transaction given as a function ends with it: return to commit, throw to roll back.')
    return { columns: [], rows: [], changes: 0, lastInsertRowid: 0, head: session.mirror.view.head }
  }
}

function noTransaction(message: string): SealError {
  return new SealError('sql-error', message, { name: 'SQLITE_ERROR', result: 1 })
}

export type { Committed }
