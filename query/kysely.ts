/**
 * Kysely over a space. Kysely itself is the application's: it is handed in, so that its types and its version are the application's own.
 *
 * @example
 * import * as kysely from 'kysely'
 * const db = new kysely.Kysely<Tables>({ dialect: kyselyDialect(database, kysely) })
 */
import type { CompiledQuery, DatabaseConnection, DatabaseIntrospector, Dialect, DialectAdapter, Driver, Kysely, QueryCompiler, QueryResult, TransactionSettings } from 'kysely'
import { SealError } from '../engine/errors.js'
import type { Sql } from './sql-api.js'
import { Queue } from './queue.js'
import type { ParameterValue } from './values.js'

/** What is used of the module `kysely`. */
export interface KyselyModule {
  readonly SqliteAdapter: new () => DialectAdapter
  readonly SqliteIntrospector: new (db: Kysely<unknown>) => DatabaseIntrospector
  readonly SqliteQueryCompiler: new () => QueryCompiler
}

/**
 * A dialect on a database, or on the `tx` of `database.transaction`, where Kysely can't begin another. A transaction of Kysely's own is BEGIN and COMMIT: if the
 * space moved on meanwhile its statements run again as they were, not the function around them. Statements that reach the database beside
 * Kysely while one is open become part of it. Within it, ask Kysely's `trx`: what is asked of the Kysely instance itself waits for it to end, and fails if it does not
 * within `busyTimeout` milliseconds (`sql-error`, SQLITE_BUSY; default: 60,000).
 */
export function kyselyDialect(database: Sql, { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler }: KyselyModule, { busyTimeout }: { readonly busyTimeout?: number } = {}): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new SealDriver(database, busyTimeout),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** One connection: whoever has it keeps others waiting. */
class SealDriver implements Driver {
  readonly #connection: DatabaseConnection
  readonly #waiting: Queue
  #release: (() => void) | undefined

  constructor(database: Sql, busyTimeout: number | undefined) {
    this.#connection = new SealConnection(database)
    this.#waiting = new Queue(busyTimeout)
  }

  async init(): Promise<void> {}

  /** Throws SQLITE_BUSY if somebody keeps it: whoever has it may be waiting for this. */
  acquireConnection(): Promise<DatabaseConnection> {
    return new Promise((resolve, reject) => {
      this.#waiting.run(() => this.#waiting.hold(() => new Promise<void>((release) => {
        this.#release = release
        resolve(this.#connection)
      }))).catch(reject)
    })
  }

  async beginTransaction(connection: DatabaseConnection, { isolationLevel, accessMode }: TransactionSettings): Promise<void> {
    if (isolationLevel !== undefined && isolationLevel !== 'serializable' && isolationLevel !== 'snapshot') {
      throw new SealError('bad-argument', 'Expected no isolation level: a transaction reads one state.', { isolationLevel })
    }
    if (accessMode !== undefined && accessMode !== 'read write') throw new SealError('bad-argument', 'Expected no access mode.', { accessMode })
    await run(connection, 'BEGIN')
  }
  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await run(connection, 'COMMIT')
  }
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await run(connection, 'ROLLBACK')
  }
  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await run(connection, `SAVEPOINT ${quote(name)}`)
  }
  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await run(connection, `ROLLBACK TO ${quote(name)}`)
  }
  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await run(connection, `RELEASE ${quote(name)}`)
  }

  async releaseConnection(): Promise<void> {
    this.#release?.()
    this.#release = undefined
    await Promise.resolve()
  }

  /** The database stays the application's to close. */
  async destroy(): Promise<void> {}
}

class SealConnection implements DatabaseConnection {
  readonly #database: Sql

  constructor(database: Sql) {
    this.#database = database
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes, lastInsertRowid } = await this.#database.query<R>(sql, parameters as readonly ParameterValue[]) // checked when they are bound
    return { rows, numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
  }

  /** All rows are in memory anyway. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}

async function run(connection: DatabaseConnection, sql: string): Promise<void> {
  const query = { sql, parameters: [], query: { kind: 'RawNode' as const, sqlFragments: [sql], parameters: [] }, queryId: { queryId: '' } }
  await connection.executeQuery(query)
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
